//! A channel as a `Sink` of messages.

use std::pin::Pin;
use std::task::Context;
use std::task::Poll;

use futures_sink::Sink;

use crate::hub::channel::Channel;
use crate::hub::error::PublishError;
use crate::message::Message;

/// Publishes each item at once, as [`Channel::publish`]. It is never pending, because a publish
/// never waits: a stream that is forwarded into it is drained as fast as it yields. The reports are
/// dropped; losses are in the [stats](Channel::stats).
///
/// # Errors
///
/// [`PublishError`] returns the message that was not published. The sink stays usable.
///
/// ```
/// use futures_util::{SinkExt, StreamExt, stream};
/// use throng::{Hub, Message};
///
/// # let rt = tokio::runtime::Builder::new_current_thread().build()?;
/// # rt.block_on(async {
/// let hub = Hub::new();
/// let mut news = hub.channel("news")?;
/// news.send("rain".into()).await?;
/// let rest = stream::iter(["sun", "snow"]).map(|text| Ok(Message::text(text)));
/// rest.forward(&mut news).await?;
/// assert_eq!(news.position().offset, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl Sink<Message> for Channel {
    type Error = PublishError;

    fn poll_ready(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), PublishError>> {
        Poll::Ready(Ok(()))
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), PublishError> {
        self.publish(message).map(|_| ())
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), PublishError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), PublishError>> {
        Poll::Ready(Ok(()))
    }
}
