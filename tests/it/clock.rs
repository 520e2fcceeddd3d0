//! The clock of a gateway does not end with the runtime of its first client.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Condvar;
use parking_lot::Mutex;
use throng::ChannelEvent;
use throng::ConnectOptions;
use throng::Gateway;
use throng::HistoryOptions;
use throng::Hub;
use throng::HubEvent;
use throng::Message;
use throng::transport::memory;
use throng::transport::memory::MemoryPeer;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap()
}

/// A client that is served in this runtime.
fn served(runtime: &Runtime, gateway: &Gateway) -> MemoryPeer {
    let (conn, mut peer) = memory::pair();
    let gateway = gateway.clone();
    runtime.spawn(async move { gateway.serve_conn(conn, ConnectOptions::new()).await });
    let greeting = runtime.block_on(peer.recv()).unwrap();
    assert!(greeting.contains("connected"), "{greeting}");
    peer
}

/// What was told, for who waits for it.
#[derive(Default)]
struct Told {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Told {
    fn note(&self, line: String) {
        self.lines.lock().push(line);
        self.more.notify_all();
    }

    fn wait_for(&self, line: &str) {
        let mut lines = self.lines.lock();
        while !lines.iter().any(|told| told == line) {
            let waited = self.more.wait_for(&mut lines, Duration::from_secs(60));
            assert!(!waited.timed_out(), "{line} is not among {lines:?}");
        }
    }
}

/// A hub on which a publication leaves something for the clock to do, and what it tells.
fn world() -> (Hub, Arc<Told>) {
    let told = Arc::new(Told::default());
    let logged = Arc::clone(&told);
    let short = HistoryOptions::new().age(Duration::from_millis(5));
    let hub = Hub::builder()
        .history(move |_| Some(short.clone()))
        .on_event(move |event: &HubEvent| logged.note(event.to_string()))
        .build()
        .unwrap();
    let changed = Arc::clone(&told);
    assert!(hub.on_channel(move |change| {
        if let ChannelEvent::Removed(name) = change {
            changed.note(format!("{name} is reclaimed"));
        }
    }));
    (hub, told)
}

fn publish(hub: &Hub, channel: &str) {
    let _delivery = hub.publish(channel, Message::static_text("x")).unwrap();
}

#[test]
fn it_goes_on_in_the_runtime_of_another_client() {
    let (hub, told) = world();
    let gateway = Gateway::new(hub.clone());
    let (first, second) = (runtime(), runtime());
    let _peers = (served(&first, &gateway), served(&second, &gateway));
    publish(&hub, "a");
    told.wait_for("a is reclaimed");
    drop(first);
    told.wait_for("the clock of the gateway goes on in another runtime");
    publish(&hub, "b");
    told.wait_for("b is reclaimed");
}

#[test]
fn it_goes_on_when_a_client_comes_after_its_runtime_has_ended() {
    let (hub, told) = world();
    let gateway = Gateway::new(hub.clone());
    let (first, second) = (runtime(), runtime());
    let _peer = served(&first, &gateway);
    drop(first);
    told.wait_for("the clock of the gateway stands still, for its runtime has ended");
    let _peer = served(&second, &gateway);
    publish(&hub, "a");
    told.wait_for("a is reclaimed");
}
