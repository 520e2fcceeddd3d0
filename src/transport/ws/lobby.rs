//! A connection that has shown no credentials yet: its first message decides.
//!
//! ```text
//!   {"type":"auth","token":…} ──▶ authenticators ──▶ served as a client
//!                                                └─▶ `error`, `disconnect`, close
//!   any other message         ──▶ `error` unauthenticated, close 3500
//!   nothing in time           ──▶ `disconnect`, close 3500
//! ```
//!
//! # Memory
//!
//! What has arrived of one message, at most 16 KiB, and what was read behind it, 4 KiB at most.

use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::pin::pin;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::io::ReadBuf;
use tokio::time;

use crate::disconnect::Disconnect;
use crate::hub::ConnectOptions;
use crate::protocol::Command;
use crate::protocol::ErrorCode;
use crate::protocol::Fault;
use crate::protocol::Push;
use crate::protocol::Request;
use crate::protocol::invalid;
use crate::protocol::missing;
use crate::session::Dialogue;
use crate::session::operations::auth::AUTH;
use crate::session::operations::auth::MAX_TOKEN;
use crate::transport::auth;
use crate::transport::auth::Authority;
use crate::transport::auth::Place;
use crate::transport::gateway::Admission;
use crate::transport::gateway::Gateway;
use crate::transport::ws::Negotiated;
use crate::transport::ws::connection::Hold;
use crate::transport::ws::connection::refuse;
use crate::transport::ws::framing;
use crate::transport::ws::reader::Reader;
use crate::transport::ws::reader::ReaderLimits;
use crate::transport::ws::reader::Received;

/// A connection in the lobby.
pub(super) struct Waiting {
    pub(super) options: ConnectOptions,
    pub(super) authority: Authority,
    pub(super) place: Place,
    pub(super) address: Option<IpAddr>,
}

/// The end of the wait in the lobby.
enum Came {
    /// It has shown this token; the bytes are what was read behind.
    Shown(String, Vec<u8>),
    /// It is told this, if anything, and closed.
    Refused(Option<Box<Fault>>, Disconnect),
    /// It closes, and this frame answers.
    Closed(Bytes),
    /// It has gone.
    Gone,
}

/// The longest message.
const MAX_MESSAGE: usize = 16 << 10;

/// How much is read at once.
const READ: usize = 4 << 10;

impl Gateway {
    /// Waits for the first message of a connection, and serves it as the client that its token
    /// names.
    pub(super) async fn wait<IO>(
        self,
        mut io: IO,
        buffered: Vec<u8>,
        accepted: Negotiated,
        waiting: Waiting,
        hold: Hold,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Waiting {
            options,
            authority,
            place,
            address,
        } = waiting;
        let timeout = authority.places().timeout();
        let asked = time::timeout(timeout, async {
            let came = first_message(&mut io, buffered, &accepted).await;
            let Came::Shown(token, rest) = came else {
                return Err(came);
            };
            match authority.decide_message(&token, address).await {
                Ok(identity) => Ok((identity, rest)),
                Err(refusal) => {
                    let fault = auth::fault(&refusal);
                    Err(Came::Refused(
                        Some(Box::new(fault)),
                        refusal.close().clone(),
                    ))
                }
            }
        });
        let came = asked.await.unwrap_or_else(|_| {
            let why = "the connection did not authenticate in time";
            let fault = Fault::new(ErrorCode::AuthTimeout, why);
            Err(Came::Refused(
                Some(Box::new(fault)),
                Disconnect::TOKEN_INVALID,
            ))
        });
        drop(place);
        match came {
            Ok((identity, rest)) => {
                let admission = Admission::new(options, (*identity).into());
                // In a task of its own, which holds nothing of the lobby.
                tokio::spawn(self.serve_held(io, &rest, &accepted, admission, hold));
            }
            Err(came) => self.see_off(io, &accepted, came).await,
        }
    }

    async fn see_off<IO>(&self, io: IO, accepted: &Negotiated, came: Came)
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let last = match came {
            Came::Refused(fault, why) => {
                let fault = fault.as_deref().map(Push::Error);
                let farewell = Dialogue::farewell(&why, self.retry_later());
                let pushes = fault.into_iter().chain([farewell]);
                let said = pushes.map(|push| accepted.encoding().say(push));
                let close = framing::close(&why);
                let frames = said.map(Result::unwrap_or_default).chain([close]);
                frames.collect::<Vec<_>>().concat()
            }
            Came::Closed(frame) => frame.into(),
            Came::Shown(..) | Came::Gone => return,
        };
        refuse(io, *self.ws_config(), last).await;
    }
}

/// Reads until the first message is there.
async fn first_message<IO>(io: &mut IO, buffered: Vec<u8>, accepted: &Negotiated) -> Came
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let limits = ReaderLimits {
        max_frame: MAX_MESSAGE,
        max_message: MAX_MESSAGE,
    };
    let mut reader = Reader::new(limits, accepted.inflate());
    let mut bytes = buffered;
    loop {
        let mut left = &mut *bytes;
        loop {
            let pong = match reader.next(&mut left) {
                Ok(None) => break,
                Ok(Some(Received::Text(text))) => {
                    let token = token_of(&text);
                    return match token {
                        Ok(token) => Came::Shown(token, left.to_vec()),
                        Err(fault) => {
                            Came::Refused(Some(Box::new(fault)), Disconnect::TOKEN_INVALID)
                        }
                    };
                }
                Ok(Some(Received::Binary(_))) => {
                    let fault = unauthenticated();
                    return Came::Refused(Some(Box::new(fault)), Disconnect::TOKEN_INVALID);
                }
                Ok(Some(Received::Ping(payload))) => framing::pong(&payload),
                Ok(Some(Received::Pong(_))) => continue,
                Ok(Some(Received::Close(None))) => return Came::Closed(framing::CLOSE),
                Ok(Some(Received::Close(Some((code, reason))))) => {
                    return Came::Closed(framing::close_with(code, &reason));
                }
                Err(violation) => return Came::Refused(None, violation.disconnect()),
            };
            if io.write_all(&pong).await.is_err() {
                return Came::Gone;
            }
        }
        bytes = match read(io).await {
            Ok(bytes) if !bytes.is_empty() => bytes,
            _ => return Came::Gone,
        };
    }
}

/// Reads what is there; the buffer is on the stack of the thread.
async fn read(io: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut io = pin!(io);
    poll_fn(|cx| {
        let mut bytes = [0; READ];
        let mut buffer = ReadBuf::new(&mut bytes);
        let read = Pin::new(&mut **io).poll_read(cx, &mut buffer);
        read.map_ok(|()| buffer.filled().to_vec())
    })
    .await
}

/// The token of the first message.
fn token_of(text: &str) -> Result<String, Fault> {
    let request = match Request::parse(text) {
        Ok(request) => request,
        Err(fault) if fault.code() == ErrorCode::UnknownType => {
            return Err(unauthenticated().reply_to(fault.request().cloned()));
        }
        Err(fault) => return Err(fault),
    };
    let token = match &request.command {
        Command::Operation { name, arguments } if **name == *AUTH => arguments
            .only(AUTH, ["token"].into_iter())
            .and_then(|()| arguments.text("token", MAX_TOKEN))
            .and_then(|token| token.ok_or_else(|| missing("token"))),
        _ => Err(unauthenticated()),
    };
    let token = token.and_then(|token| match token.is_empty() {
        true => Err(invalid("token", "a token")),
        false => Ok(token),
    });
    token.map_err(|fault| fault.reply_to(request.id))
}

/// The fault of a command that comes before any credentials.
fn unauthenticated() -> Fault {
    let why = "the first message must be {\"type\":\"auth\",\"token\":...}";
    Fault::new(ErrorCode::Unauthenticated, why).field("type")
}
