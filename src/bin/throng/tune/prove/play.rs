//! One setting on a real server.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::str;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use throng::Channel;
use throng::ClientId;
use throng::ClientStats;
use throng::Disconnect;
use throng::Gateway;
use throng::HistoryOptions;
use throng::Hub;
use throng::Message;
use throng::OutboxLimits;
use throng::server;
use throng::server::ServerConfig;
use throng::transport::ws::WsConfig;
use throng::tune::ClientClass;
use throng::tune::Rehearsal;
use throng::tune::Scenario;
use throng::tune::Seen;
use throng::tune::Setting;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::task::JoinSet;
use tokio::time;

use super::Wire;
use super::client::Client;
use super::client::payload;
use super::client::receive_buffer;
use crate::tune::peer::subscribed;

/// What the clients of one class saw.
#[derive(Default)]
pub(super) struct Played {
    pub(super) seen: Seen,
    pub(super) lost: f64,
    pub(super) superseded: f64,
}

/// A server of one setting, on loopback.
struct Server {
    hub: Hub,
    gateway: Gateway,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Server {
    fn start(setting: &Setting) -> io::Result<Self> {
        let mut builder = Hub::builder()
            .outbox(OutboxLimits::new().messages(setting.outbox))
            .slow_consumer(setting.policy);
        if setting.history > 0 {
            let options = HistoryOptions::new().messages(setting.history);
            builder = builder.history(move |_| Some(options.clone()));
        }
        let hub = builder.build().map_err(io::Error::other)?;
        let ws = WsConfig::new()
            .flush_delay(setting.flush_delay)
            .write_timeout(setting.timeout)
            .pong_timeout(setting.timeout);
        let gateway = Gateway::builder(hub.clone())
            .ws(ws)
            .authenticate(server::trust_query_user)
            .build();
        let listener = server::listen(([127, 0, 0, 1], 0).into(), 1_024)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let stopping = async { drop(stopped.await) };
        let config = ServerConfig::new().unsent_mark(NonZeroU32::new(setting.unsent_mark));
        let serving = tokio::spawn(server::serve(listener, gateway.clone(), config, stopping));
        Ok(Self {
            hub,
            gateway,
            address,
            stop: Some(stop),
            serving,
        })
    }

    /// The figures of each client that is behind or has lost something, by its user.
    fn figures(&self) -> HashMap<usize, ClientStats> {
        let slow = self.hub.slow_clients(usize::MAX).into_iter();
        let number = |user: Option<Arc<str>>| user?.parse().ok();
        slow.filter_map(|it| Some((number(it.user)?, it.stats)))
            .collect()
    }

    async fn stop(mut self) {
        self.hub.close(Disconnect::SHUTDOWN);
        drop(self.stop.take());
        time::sleep(Duration::from_millis(50)).await;
        self.serving.abort();
    }
}

/// Plays a rehearsal with one setting; what each class saw.
pub(super) async fn play(
    rehearsal: &Rehearsal,
    scenario: &Scenario,
    setting: &Setting,
) -> io::Result<Vec<Played>> {
    let server = Server::start(setting)?;
    let names: Vec<String> = (0..scenario.feeds.len())
        .map(|feed| format!("feed-{feed}"))
        .collect();
    let names: Arc<[String]> = names.into();
    let rehearsal = Arc::new(rehearsal.clone());
    let classes = rehearsal.classes();
    let mut clients = Vec::new();
    for (number, class) in classes.iter().enumerate() {
        let buffer = receive_buffer(&scenario.clients[*class]);
        let client = Client::new(number, server.address, &names, &rehearsal, buffer);
        let socket = client.connect().await?;
        clients.push((number, client, socket));
    }
    let begin = Instant::now() + Duration::from_millis(50);
    let mut running = JoinSet::new();
    for (number, client, socket) in clients {
        running.spawn(async move { (number, client.run(socket, begin).await) });
    }
    // Channels keep their figures while there is a handle.
    let channels = names.iter().map(|name| server.hub.channel(name));
    let channels: Vec<_> = channels
        .collect::<Result<_, _>>()
        .map_err(io::Error::other)?;
    let publishing = publish(&server, &rehearsal, scenario, &channels, begin);
    let counting = async {
        time::sleep_until((begin + rehearsal.warm_up()).into()).await;
        let before = (server.figures(), published(&channels));
        time::sleep_until((begin + rehearsal.end()).into()).await;
        (before, (server.figures(), published(&channels)))
    };
    let (published, counts) = tokio::join!(publishing, counting);
    published?;
    let mut played: Vec<Tally> = scenario.clients.iter().map(|_| Tally::default()).collect();
    while let Some(joined) = running.join_next().await {
        let (number, client) = joined.map_err(io::Error::other)?;
        played[classes[number]].add(number, &client, &counts, &rehearsal);
    }
    server.stop().await;
    Ok(played.into_iter().map(Tally::played).collect())
}

type Counts = (HashMap<usize, ClientStats>, u64);

/// Messages published to all channels.
fn published(channels: &[Channel]) -> u64 {
    channels
        .iter()
        .map(|channel| channel.stats().published)
        .sum()
}

/// What became of the messages for the clients of one class.
#[derive(Default)]
struct Tally {
    seen: Seen,
    addressed: u64,
    lost: u64,
    superseded: u64,
}

impl Tally {
    fn add(
        &mut self,
        number: usize,
        client: &Client,
        counts: &(Counts, Counts),
        rehearsal: &Rehearsal,
    ) {
        rehearsal.look(&mut self.seen, &client.got);
        let ((before, first), (after, last)) = counts;
        let of = |figures: &HashMap<usize, ClientStats>| {
            figures.get(&number).copied().unwrap_or_default()
        };
        let (before, after) = (of(before), of(after));
        let lost = |stats: &ClientStats| stats.dropped + stats.evicted;
        let has_gone = lost(&after) < lost(&before) || after.conflated < before.conflated;
        if client.was_closed || has_gone {
            // The counters of a connection end with it: what did not come is lost.
            let warm_up = rehearsal.warm_up();
            let window = |at: Duration| at >= warm_up;
            let all = rehearsal.messages().filter(|it| window(it.at)).count() as u64;
            let first = rehearsal.messages().take_while(|it| !window(it.at)).count();
            let came = client.got.iter().filter(|it| it.number >= first).count() as u64;
            self.addressed += all;
            self.lost += all.saturating_sub(came + after.queued_messages as u64);
            return;
        }
        // What was on its way when counting began is counted as well, as the model does it.
        let came = client
            .got
            .iter()
            .filter(|it| it.at < rehearsal.warm_up())
            .count() as u64;
        let gone = came + before.dropped + before.evicted + before.conflated;
        self.addressed += last - first + first.saturating_sub(gone);
        self.lost += lost(&after) - lost(&before);
        self.superseded += after.conflated - before.conflated;
    }

    fn played(self) -> Played {
        let all = self.addressed.max(1) as f64;
        Played {
            seen: self.seen,
            lost: self.lost as f64 / all,
            superseded: self.superseded as f64 / all,
        }
    }
}

async fn publish(
    server: &Server,
    rehearsal: &Rehearsal,
    scenario: &Scenario,
    channels: &[Channel],
    begin: Instant,
) -> io::Result<()> {
    for planned in rehearsal.messages() {
        if begin.elapsed() < planned.at {
            time::sleep_until((begin + planned.at).into()).await;
        }
        let mut message = Message::text(payload(planned.number, planned.size));
        if let Some(key) = planned.key {
            message = message.key(key);
        }
        let channel = &channels[planned.feed];
        let published = if scenario.publisher_waits {
            server.gateway.publish_paced(channel, message).await
        } else {
            channel.publish(message)
        };
        published.map_err(|error| io::Error::other(error.to_string()))?;
    }
    Ok(())
}

/// Measures what a message takes on the wire beside its payload, and for each class how much is in
/// flight to a client that reads as slowly as its link carries, under this unsent mark.
pub(super) async fn probe(scenario: &Scenario, unsent_mark: u32) -> io::Result<Wire> {
    let mut setting = Setting::shipped();
    setting.unsent_mark = unsent_mark;
    let server = Server::start(&setting)?;
    let size = scenario.feeds.first().map_or(120, |feed| feed.size.mean);
    let mut wire = Wire::default();
    for class in &scenario.clients {
        let flight = Flight::observe(&server, size, class).await?;
        wire.windows.push(flight.window);
        wire.overhead = flight.overhead;
    }
    server.stop().await;
    Ok(wire)
}

/// What was seen of one connection.
struct Flight {
    window: u64,
    overhead: u64,
}

impl Flight {
    /// Keeps the outbox of one client full while it reads for a while.
    async fn observe(server: &Server, size: u64, class: &ClientClass) -> io::Result<Self> {
        let buffer = Some(receive_buffer(class));
        let mut socket = subscribed(server.address, "/ws?user=0", &["feed-0"], buffer).await?;
        let channel = server.hub.channel("feed-0").map_err(io::Error::other)?;
        let length = usize::try_from(size).unwrap_or(usize::MAX);
        let message = || Message::text(payload(0, length)).key("0:123");
        let id = loop {
            let published = server.gateway.publish_paced(&channel, message()).await;
            published.map_err(|error| io::Error::other(error.to_string()))?;
            let slow = server
                .hub
                .slow_clients(1)
                .into_iter()
                .find(|it| it.stats.dropped > 0);
            if let Some(slow) = slow {
                break slow.id;
            }
        };
        let connection = || server.gateway.connection(id);
        let gone = || io::Error::other("the client has gone");
        let first = connection().ok_or_else(gone)?;
        let overhead = (first.bytes_out / first.frames_out.max(1)).saturating_sub(size);
        let begin = Instant::now();
        let (mut read, mut sum, mut looks) = (0, 0, 0);
        while begin.elapsed() < OBSERVED {
            time::sleep(Duration::from_millis(5)).await;
            let nanos = begin.elapsed().as_nanos() * u128::from(class.bandwidth);
            let carried = usize::try_from(nanos / 1_000_000_000).unwrap_or(usize::MAX);
            while let Some(most) = carried.checked_sub(read).filter(|most| *most > 0) {
                let some = time::timeout(Duration::ZERO, socket.read_at_most(most, |_| ())).await;
                let Ok(some) = some else { break };
                read += some?;
            }
            for _ in 0..room_of(server, id) {
                drop(channel.publish(message()));
            }
            let stats = connection().ok_or_else(gone)?;
            if begin.elapsed() > OBSERVED / 3 {
                let flight = stats.bytes_out.saturating_sub(stats.unsent.unwrap_or(0));
                sum += flight.saturating_sub(read as u64);
                looks += 1;
            }
        }
        drop(socket);
        while connection().is_some() {
            time::sleep(Duration::from_millis(1)).await;
        }
        Ok(Self {
            window: sum / looks.max(1),
            overhead,
        })
    }
}

/// Messages that the outbox of a client has room for.
fn room_of(server: &Server, id: ClientId) -> usize {
    let queued = server
        .hub
        .client(id)
        .map(|client| client.stats().queued_messages);
    Setting::shipped()
        .outbox
        .saturating_sub(queued.unwrap_or(0))
}

/// How long a connection is observed.
const OBSERVED: Duration = Duration::from_millis(1_500);
