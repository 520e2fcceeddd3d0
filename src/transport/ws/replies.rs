//! The replies to commands, on their way to the socket.

use std::ops::Deref;
use std::ops::DerefMut;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;

use crate::disconnect::Disconnect;
use crate::hub::Frame;
use crate::protocol::Push;
use crate::session::Dialogue;
use crate::session::Replies;
use crate::transport::output::Output;
use crate::transport::output::Written;
use crate::transport::ws::framing::Encoding;

/// The output of a client, and the language that it speaks.
pub(super) struct Replying<IO> {
    output: Output<IO>,
    encoding: Encoding,
    /// The reason for which the dialect ends the connection, if it does.
    end: Option<Box<Disconnect>>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin + 'static> Replying<IO> {
    pub(super) fn new(io: IO, encoding: Encoding) -> Self {
        Self {
            output: Output::new(io),
            encoding,
            end: None,
        }
    }

    /// The encoding of what the client receives.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Takes the reason for which the dialect ends the connection, if it does.
    pub(super) fn take_end(&mut self) -> Option<Disconnect> {
        self.end.take().map(|why| *why)
    }

    /// Writes control frames one of which may be the answer to the client's own subscribe; what
    /// the socket does not take of them waits in the output.
    pub(super) fn write_personally(
        &mut self,
        frames: &[Frame],
        dialogue: &mut Dialogue,
    ) -> Written {
        for frame in frames {
            let personal = dialogue.personal(frame).map(|push| self.encode(push));
            let bytes = personal.unwrap_or_else(|| self.encoding.of(frame).clone());
            self.push(bytes);
        }
        dialogue.settle(self);
        self.write_waiting()
    }
}

impl<IO> Deref for Replying<IO> {
    type Target = Output<IO>;

    fn deref(&self) -> &Output<IO> {
        &self.output
    }
}

impl<IO> DerefMut for Replying<IO> {
    fn deref_mut(&mut self) -> &mut Output<IO> {
        &mut self.output
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin + 'static> Replies for Replying<IO> {
    fn encode(&mut self, push: Push<'_>) -> Bytes {
        self.encoding.say(push).unwrap_or_else(|why| {
            self.end = Some(Box::new(why));
            Bytes::new()
        })
    }

    fn give(&mut self, frame: Bytes) {
        self.push_reply(frame);
    }

    fn has_room(&self) -> bool {
        self.output.has_room()
    }
}
