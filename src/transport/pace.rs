//! Publishing from the application at the pace of the flushers.

use std::future::poll_fn;

use tokio::task::yield_now;

use crate::hub::Channel;
use crate::hub::Delivery;
use crate::hub::PublishError;
use crate::hub::Reached;
use crate::message::Message;
use crate::session::Pace;
use crate::transport::gateway::Gateway;

impl Gateway {
    /// Waits until the flushers that a publish reached keep up; where it reached none, yields once.
    pub(crate) async fn pace(&self, delivery: &Delivery) {
        let mut pace = Pace::default();
        pace.note(delivery.reached());
        if pace.must_wait(self.hub().turns()) {
            poll_fn(|cx| pace.poll(cx)).await;
        } else if delivery.reached() == Reached::NOBODY {
            yield_now().await;
        }
    }

    /// [`Channel::publish`], then waits until the connections that it reached have had their turn:
    /// WebSockets, and event streams over HTTP/1.1 of this crate's server. For a publisher that is
    /// faster than the server writes.
    ///
    /// [`Channel::publish`] does not wait, so a loop around it fills outboxes faster than the tasks
    /// that write to sockets can drain them, and clients that read as fast as they can lose
    /// messages. This waits when one of those tasks is half a default outbox behind, in messages
    /// or in bytes, until it has gone through all its clients once, or has done nothing for 250 ms
    /// ([`HubStats::publish_waits`](crate::HubStats::publish_waits) counts). It never waits for a
    /// client. Where none of these is reached, it yields once to the other tasks; event streams
    /// over HTTP/2 or under another server, [`Conn`](crate::transport::Conn)s and outboxes of the
    /// application are not waited for.
    ///
    /// ```no_run
    /// # async fn run(gateway: throng::Gateway) -> Result<(), Box<dyn std::error::Error>> {
    /// let ticks = gateway.hub().channel("ticks")?;
    /// for n in 0..1_000_000 {
    ///     gateway.publish_paced(&ticks, n.to_string()).await?;
    /// }
    /// # Ok(())
    /// # }
    /// # let _ = run;
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Channel::publish`], without a wait.
    ///
    /// # Panics
    ///
    /// If it waits outside a tokio runtime whose time driver is enabled.
    ///
    /// # Cancel safety
    ///
    /// The message is published when the future is first polled; dropping the future afterwards
    /// loses the wait and the report only.
    pub async fn publish_paced(
        &self,
        channel: &Channel,
        message: impl Into<Message>,
    ) -> Result<Delivery, PublishError> {
        let delivery = channel.publish(message)?;
        self.pace(&delivery).await;
        Ok(delivery)
    }
}
