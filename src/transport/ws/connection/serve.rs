//! The door of the gateway, and the task behind it.

use std::any::Any;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use pin_project_lite::pin_project;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::time;
use tokio::time::Sleep;

use crate::disconnect::Disconnect;
use crate::hub::ConnectOptions;
use crate::session::Dialogue;
use crate::session::Moments;
use crate::session::fault::refusal;
use crate::time::Clock;
use crate::time::SystemClock;
use crate::transport::gateway::Admission;
use crate::transport::gateway::Gateway;
use crate::transport::gateway::arrival;
use crate::transport::stats::Transport;
use crate::transport::ws::Negotiated;
use crate::transport::ws::WsConfig;
use crate::transport::ws::connection::Connection;
use crate::transport::ws::connection::state::Memory;
use crate::transport::ws::connection::state::State;
use crate::transport::ws::framing;

impl Gateway {
    /// Connects the peer of `io`, which has been [upgraded](crate::transport::ws::upgrade) to
    /// WebSocket, and serves it until either side closes. `buffered` is what was read from `io`
    /// behind the handshake.
    ///
    /// Gap notices and join notices are turned on whatever `options` says, for the protocol tells
    /// of both. A peer that the hub does not let in gets a close frame that says why.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime whose time driver is enabled.
    ///
    /// # Cancel safety
    ///
    /// The client is connected when this returns. When the future is dropped early, the client is
    /// disconnected from the hub and the socket closed without a close frame. Nothing is left
    /// behind.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "one handshake is for one connection"
    )]
    pub fn serve_ws<IO>(
        &self,
        io: IO,
        buffered: &[u8],
        accepted: Negotiated,
        options: ConnectOptions,
    ) -> impl Future<Output = ()> + Send + use<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.serve_held(io, buffered, &accepted, options, None)
    }

    /// [`Self::serve_ws`], which drops `hold` at the end.
    pub(in crate::transport::ws) fn serve_held<IO>(
        &self,
        io: IO,
        buffered: &[u8],
        accepted: &Negotiated,
        admission: impl Into<Admission>,
        hold: Hold,
    ) -> Serving<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let admission = admission.into();
        if !self.hooks().wants(Moments::CONNECT) {
            return self.serve_admitted(io, buffered, accepted, admission, hold);
        }
        let gateway = self.clone();
        let (buffered, accepted) = (Box::<[u8]>::from(buffered), accepted.clone());
        Serving::Refused {
            refused: Box::pin(async move {
                let arrival = arrival(&admission.options, Transport::Ws);
                match gateway.hooks().admit(arrival).await {
                    Ok(()) => {
                        let serving =
                            gateway.serve_admitted(io, &buffered, &accepted, admission, hold);
                        drop(buffered);
                        serving.await;
                    }
                    Err(why) => {
                        gateway.turn_away(io, &accepted, &why).await;
                        drop(hold);
                    }
                }
            }),
        }
    }

    /// Serves a client that the hooks have let connect.
    fn serve_admitted<IO>(
        &self,
        io: IO,
        buffered: &[u8],
        accepted: &Negotiated,
        admission: Admission,
        hold: Hold,
    ) -> Serving<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let config = self.ws_config();
        if let Some(session) = accepted.session() {
            self.give_way(session, &admission.options);
        }
        match self.enter(admission, Transport::Ws, !accepted.resumes()) {
            Ok((client, outbox, registration)) => {
                let number = client.id();
                let flusher = self.flushers().pick(self, number.get());
                let delay = client.flush_delay().unwrap_or(config.flush_delay);
                let connection = Connection::new(flusher, client.clone(), delay, |row| {
                    State::new(io, buffered, accepted, client, outbox, registration, row)
                });
                let probe = Arc::downgrade(&connection);
                self.watch(number, probe);
                Serving::Connected {
                    connection: Ended(connection),
                    timer: time::sleep_until(SystemClock::new().now().into()),
                    _hold: hold,
                }
            }
            Err(error) => {
                let refused = self.turn_away(io, accepted, refusal(&error));
                Serving::Refused {
                    refused: Box::pin(async move {
                        refused.await;
                        drop(hold);
                    }),
                }
            }
        }
    }
}

impl Gateway {
    /// Tells a peer why it is not let in, and waits until it has hung up.
    pub(in crate::transport::ws) fn turn_away<IO>(
        &self,
        io: IO,
        accepted: &Negotiated,
        why: &Disconnect,
    ) -> impl Future<Output = ()> + Send + use<IO>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let farewell = Dialogue::farewell(why, self.retry_later());
        let farewell = accepted.encoding().say(farewell).unwrap_or_default();
        let last = [&*farewell, &*framing::close(why)].concat();
        refuse(io, *self.ws_config(), last)
    }
}

/// What is dropped when a connection ends.
pub(in crate::transport::ws) type Hold = Option<Arc<dyn Any + Send + Sync>>;

pin_project! {
    /// What is done for one peer. Written out, since an async block would keep most of it twice,
    /// for as long as the connection lasts.
    #[project = Projected]
    pub(in crate::transport::ws) enum Serving<IO>
    where
        IO: AsyncRead,
        IO: AsyncWrite,
        IO: Unpin,
        IO: Send,
        IO: 'static,
    {
        Connected {
            connection: Ended<IO>,
            #[pin]
            timer: Sleep,
            _hold: Hold,
        },
        Refused {
            refused: Pin<Box<dyn Future<Output = ()> + Send>>,
        },
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Future for Serving<IO> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        thread_local! {
            /// Used by one connection after the other.
            static MEMORY: RefCell<Memory> = RefCell::default();
        }
        match self.project() {
            Projected::Refused { refused } => refused.as_mut().poll(cx),
            Projected::Connected {
                connection, timer, ..
            } => MEMORY.with(|memory| {
                // A command may lead to code of the application, and that may poll a connection.
                let mut own = memory.try_borrow_mut();
                let mut spare = None;
                let memory = match &mut own {
                    Ok(memory) => &mut **memory,
                    Err(_) => spare.get_or_insert_default(),
                };
                let polled = connection.0.with(|state| state.poll(cx, timer, memory));
                polled.unwrap_or(Poll::Ready(()))
            }),
        }
    }
}

/// Ends the connection when it is dropped.
pub(in crate::transport::ws) struct Ended<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    Arc<Connection<IO>>,
);

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Drop for Ended<IO> {
    fn drop(&mut self) {
        drop(self.0.end());
    }
}

/// Writes the last frames, and waits until the peer has hung up, so that it reads the close frame
/// before it learns that what it still sends is not read.
pub(in crate::transport::ws) async fn refuse<IO>(mut io: IO, config: WsConfig, last: Vec<u8>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let wrote = time::timeout(config.write_timeout, io.write_all(&last)).await;
    if !matches!(wrote, Ok(Ok(()))) {
        return;
    }
    let hung_up = time::timeout(config.close_timeout, async {
        io.shutdown().await?;
        let mut rest = [0; 512];
        while io.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    });
    // Whatever comes of it, the socket is closed next.
    drop(hung_up.await);
}
