//! Requests of the application and of the REST API.

use std::future::poll_fn;

use crate::session::Caller;
use crate::session::Effort;
use crate::session::Fault;
use crate::session::Pace;
use crate::session::Reply;
use crate::session::Request;
use crate::session::request_cost;
use crate::session::spend;
use crate::transport::gateway::Gateway;

impl Gateway {
    /// Carries out a request, as a connection would have it carried out: the policies are asked
    /// first, and the caller needs the rights that it takes. What goes straight to the
    /// [`Hub`](crate::Hub) asks nobody.
    ///
    /// ```
    /// use throng::session::{Caller, ClientPublish, Reply, Request};
    /// use throng::{ConnectOptions, Gateway, Hub, UserId};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let gateway = Gateway::builder(Hub::new())
    ///     .client_publish(ClientPublish::Allow)
    ///     .build();
    /// let (client, mut outbox) = gateway.hub().connect(ConnectOptions::new())?;
    /// client.subscribe("news").await?;
    ///
    /// let publish = Request::parse(r#"{"type":"publish","channel_id":"news","data":{"n":1}}"#)?;
    /// let ada = Caller::on_behalf_of(UserId::parse("ada")?);
    /// let reply = gateway.execute(ada, publish).await?;
    /// assert!(matches!(reply, Reply::Published(delivery) if delivery.delivered() == 1));
    /// assert_eq!(outbox.recv().await?.payload(), r#"{"n":1}"#);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Order
    ///
    /// Requests that are made one after the other are carried out in that order; those that wait at
    /// the same time in none.
    ///
    /// # Errors
    ///
    /// The fault that a client would be told.
    ///
    /// # Cancel safety
    ///
    /// Dropped early, a request for which a policy has not decided is not carried out, and a
    /// subscribe that waits for the authorizer has not joined; everything else is done, and only
    /// the reply is lost.
    ///
    /// # Progress
    ///
    /// Waits for a policy that takes time, for the answer, and after a publish for the flushers
    /// that it reached, as [`Gateway::publish_paced`] does. What requests cost (deliveries, names
    /// examined, bytes parsed) is counted, and a task that has used up the time of a turn, about
    /// 1.6 ms, lets other tasks have theirs before it gets its reply.
    ///
    /// # Panics
    ///
    /// If it waits for flushers, or for an asynchronous hook, outside a tokio runtime whose time
    /// driver is enabled.
    pub async fn execute(&self, caller: Caller<'_>, request: Request) -> Result<Reply, Fault> {
        self.execute_read(caller, request, 0).await
    }

    /// [`Self::execute`] of a request that was read from so many bytes.
    pub(crate) async fn execute_read(
        &self,
        caller: Caller<'_>,
        request: Request,
        bytes: usize,
    ) -> Result<Reply, Fault> {
        let entrance = self.entrance();
        // A connection on whose behalf the application asks has the identity that it has.
        let other = caller.client().filter(|_| caller.badge().is_none());
        let badge = other.and_then(|client| entrance.badge_of(client.id()));
        let caller = match &badge {
            Some(badge) => caller.badged(Some(badge)),
            None => caller,
        };
        let mut effort = Effort::default();
        let done = self.entrance().settle(&caller, request, &mut effort).await;
        spend(request_cost(bytes) + effort.cost).await;
        let reply = done?;
        if let Reply::Published(delivery) = &reply {
            self.pace(delivery).await;
            return Ok(reply);
        }
        let mut pace = Pace::default();
        pace.note(effort.reached);
        if pace.must_wait(self.hub().turns()) {
            poll_fn(|cx| pace.poll(cx)).await;
        }
        Ok(reply)
    }
}
