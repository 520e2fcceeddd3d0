//! To which further channels publications go.

use std::sync::Arc;

use crate::hub::channel::Channel;
use crate::hub::channel::Core;
use crate::id::ChannelName;
use crate::quiet::quietly;

/// Says to which further channels the publications of a channel go: what patterns are made of.
///
/// After its own subscribers, a message is handed to the subscribers of each of those channels, as
/// the same frame: it names the channel that it was published to and its position there. What
/// those channels lose is counted in their own numbers. A frame goes no further than that: routes
/// of routes are not followed. Those channels do not remember it, whatever their
/// [history](crate::HistoryOptions): who comes back to one of them, or is still given what it has
/// missed there, gets the channel's own publications.
///
/// A client that is subscribed to several of the channels that a message goes to, the one that it
/// was published to among them, receives it once, by the way on which it comes first. The others
/// are [counted](crate::ClientStats::copies). That holds for the last 1,024 channels that have
/// brought the client anything; beyond them, and for a message that is being published when the
/// client subscribes to its first target, copies may be received. A message that was lost on one
/// way is received by another. A replay that the client asks for is received, whatever has come
/// before.
///
/// A channel asks once, and again when the version has changed; with each publication it only
/// reads the version. A router that panics is asked again with the next publication; until then
/// the channel keeps the routes it had, and the panic is [counted](crate::HubStats::panics).
pub trait Router: Send + Sync + 'static {
    /// A number that changes whenever an answer of [`Router::routes`] may have. Read with each
    /// publication: an atomic load, or little more.
    fn version(&self) -> u64;

    /// The further channels. A router that owns [`Channel`]s keeps its hub open. Called in the
    /// middle of `channel`: it must not wait, and must neither publish nor subscribe.
    fn routes(&self, channel: &ChannelName) -> Vec<Channel>;

    /// Returns `true` if publications of other channels may go to `channel`. Default: `true`. Asked
    /// when a client subscribes: a client that is subscribed to such a channel receives a
    /// publication once, by however many ways, and pays for that with a look into a table for each.
    fn is_target(&self, channel: &ChannelName) -> bool {
        let _any = channel;
        true
    }
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
        let Some(version) = quietly(|| router.version()) else {
            return &self.channels;
        };
        if self.version != Some(version)
            && let Some(routes) = quietly(|| router.routes(channel))
        {
            // Not held as a handle holds: a channel may go while others remember that it was
            // there.
            let cores = routes.iter().map(|route| Arc::clone(route.core()));
            self.channels = cores.filter(|core| core.name() != Some(channel)).collect();
            self.version = Some(version);
        }
        &self.channels
    }
}
