//! To which further channels publications go.

use std::sync::Arc;

use crate::hub::channel::Channel;
use crate::hub::channel::Core;
use crate::id::ChannelName;

/// Says to which further channels the publications of a channel go: what patterns are made of.
///
/// After its own subscribers, a message is handed to the subscribers of each of those channels, as
/// the same frame: it names the channel that it was published to and its position there. What
/// those channels lose is counted in their own numbers. A frame goes no further than that: routes
/// of routes are not followed. Those channels do not remember it, whatever their
/// [history](crate::HistoryOptions): who comes back to one of them, or is still given what it has
/// missed there, gets the channel's own publications.
///
/// A channel asks once, and again when the version has changed; with each publication it only
/// reads the version.
pub trait Router: Send + Sync + 'static {
    /// A number that changes whenever an answer of [`Router::routes`] may have. Read with each
    /// publication: an atomic load, or little more.
    fn version(&self) -> u64;

    /// The further channels. Called in the middle of `channel`: it must not wait, and must neither
    /// publish nor subscribe.
    fn routes(&self, channel: &ChannelName) -> Vec<Channel>;
}

/// What a channel knows of its routes.
#[derive(Default)]
pub(super) struct Routes {
    version: Option<u64>,
    channels: Vec<Arc<Core>>,
}

impl Routes {
    /// The channels to which publications of `channel` go.
    pub(super) fn of(&mut self, channel: &ChannelName, router: &dyn Router) -> &[Arc<Core>] {
        // Read first: a change while we ask makes us ask again the next time.
        let version = router.version();
        if self.version != Some(version) {
            let routes = router.routes(channel);
            // Not held as a handle holds: a channel may go while others remember that it was
            // there.
            let cores = routes.iter().map(|route| Arc::clone(route.core()));
            self.channels = cores.filter(|core| core.name() != Some(channel)).collect();
            self.version = Some(version);
        }
        &self.channels
    }
}
