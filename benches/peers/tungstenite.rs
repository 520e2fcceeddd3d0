//! tokio-tungstenite, in one task for each client, with a `tokio::sync::broadcast`; or, if an
//! argument is `mpsc`, with an mpsc for each client, of which all that is there is fed to the
//! socket before it is flushed. With a small read buffer, unless an argument is `defaults`.

mod settings;
mod wire;

use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use futures_util::SinkExt;
use futures_util::StreamExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use self::wire::Command;
use self::wire::Publications;

/// Where the messages go.
enum Hub {
    Broadcast(broadcast::Sender<Utf8Bytes>),
    Mpsc(Mutex<Vec<mpsc::Sender<Utf8Bytes>>>),
}

/// Where a client's messages come from.
enum Subscription {
    None,
    Broadcast(broadcast::Receiver<Utf8Bytes>),
    Mpsc(mpsc::Receiver<Utf8Bytes>),
}

struct App {
    hub: Hub,
    publications: Publications,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let hub = if settings::told("mpsc") {
        Hub::Mpsc(Mutex::default())
    } else {
        Hub::Broadcast(broadcast::Sender::new(wire::room()))
    };
    let publications = Publications::default();
    let app = Arc::new(App { hub, publications });
    let listener = TcpListener::from_std(wire::listen()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            // Clients go as they like.
            drop(serve(&app, stream).await);
        });
    }
}

async fn serve(app: &App, stream: TcpStream) -> Result<(), Error> {
    stream.set_nodelay(true)?;
    let config = WebSocketConfig::default().read_buffer_size(settings::read_buffer());
    let mut socket = tokio_tungstenite::accept_async_with_config(stream, Some(config)).await?;
    socket.send(Message::text(wire::CONNECTED)).await?;
    let mut subscription = Subscription::None;
    loop {
        tokio::select! {
            message = subscription.next() => {
                let Some(text) = message else { return Ok(()) };
                socket.feed(Message::Text(text)).await?;
                while let Some(text) = subscription.more() {
                    socket.feed(Message::Text(text)).await?;
                }
                socket.flush().await?;
            }
            received = socket.next() => match received {
                Some(Ok(Message::Text(text))) => {
                    app.obey(&text, &mut subscription, &mut socket).await?;
                }
                Some(received) => drop(received?),
                None => return Ok(()),
            },
        }
    }
}

impl App {
    async fn obey(
        &self,
        text: &str,
        subscription: &mut Subscription,
        socket: &mut WebSocketStream<TcpStream>,
    ) -> Result<(), Error> {
        match Command::parse(text) {
            Some(Command::Subscribe { id, channel_id }) => {
                *subscription = self.hub.subscribe();
                let joined = wire::joined(&id, channel_id);
                socket.send(Message::text(joined)).await?;
            }
            Some(Command::Publish { channel_id, text }) => {
                let message = self.publications.next(channel_id, text);
                self.hub.publish(&message.into());
            }
            None => {}
        }
        Ok(())
    }
}

impl Hub {
    fn subscribe(&self) -> Subscription {
        match self {
            Self::Broadcast(messages) => Subscription::Broadcast(messages.subscribe()),
            Self::Mpsc(clients) => {
                let (sender, receiver) = mpsc::channel(wire::room());
                let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
                clients.push(sender);
                Subscription::Mpsc(receiver)
            }
        }
    }

    fn publish(&self, message: &Utf8Bytes) {
        match self {
            // Refused when there is no subscriber.
            Self::Broadcast(messages) => drop(messages.send(message.clone())),
            Self::Mpsc(clients) => {
                let mut clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
                clients.retain(|client| {
                    let sent = client.try_send(message.clone());
                    !matches!(sent, Err(mpsc::error::TrySendError::Closed(_)))
                });
            }
        }
    }
}

impl Subscription {
    /// The next message; None when there will be none.
    async fn next(&mut self) -> Option<Utf8Bytes> {
        match self {
            Self::None => std::future::pending().await,
            Self::Broadcast(messages) => loop {
                match messages.recv().await {
                    Ok(message) => return Some(message),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            },
            Self::Mpsc(messages) => messages.recv().await,
        }
    }

    /// What else is there now. Only an mpsc is drained: to send each message of a broadcast as it
    /// comes is what people do.
    fn more(&mut self) -> Option<Utf8Bytes> {
        match self {
            Self::Mpsc(messages) => messages.try_recv().ok(),
            Self::None | Self::Broadcast(_) => None,
        }
    }
}
