//! Requests over HTTP, of streams of events and of the application leave other tasks their turns,
//! as commands of a WebSocket do: after what they cost.
//!
//! Everything runs on one thread and over pipes, so what is counted is exact.

use std::future;
use std::io;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use futures_util::FutureExt;
use http_body_util::BodyExt;
use http_body_util::Full;
use throng::Channel;
use throng::ConnectOptions;
use throng::Gateway;
use throng::Hub;
use throng::Layers;
use throng::policy::Policy;
use throng::policy::Verdict;
use throng::server::Listener;
use throng::session::Caller;
use throng::session::Request;
use throng::transport::ws::Negotiated;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::io::DuplexStream;
use tokio::time;

use crate::binary::PATIENCE;
use crate::binary::masked_text;

/// Names that a `channel.find` without a match examines.
const NAMES: usize = 12_000;

/// Counts the requests of one type.
#[derive(Clone)]
struct Counting(&'static str, Arc<AtomicUsize>);

impl Policy for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn check(&self, _: &Caller<'_>, request: &mut Request) -> Verdict {
        if request.command.name() == self.0 {
            // Relaxed: one thread.
            self.1.fetch_add(1, Ordering::Relaxed);
        }
        Verdict::Pass
    }
}

/// A listener whose connections are pipes.
struct Pipes(Mutex<Vec<DuplexStream>>);

impl Listener for Pipes {
    type Io = DuplexStream;

    async fn accept(&self) -> io::Result<(DuplexStream, Option<IpAddr>)> {
        let stream = self.0.lock().unwrap().pop();
        match stream {
            Some(stream) => Ok((stream, None)),
            None => future::pending().await,
        }
    }
}

/// A server with many channels, a connection to it that floods, and one that asks.
struct Scene {
    gateway: Gateway,
    count: Arc<AtomicUsize>,
    flooding: DuplexStream,
    asking: DuplexStream,
    _channels: Vec<Channel>,
}

impl Scene {
    /// Requests of this type are counted.
    async fn new(counted: &'static str) -> Self {
        let hub = Hub::new();
        let layers = Layers::builder(&hub).build();
        let count = Arc::<AtomicUsize>::default();
        let channels = (0..NAMES).map(|n| hub.channel(&format!("a.b.c.{n}")).unwrap());
        let channels = channels.collect();
        let gateway = Gateway::builder(hub)
            .layers(layers)
            .policy(Counting(counted, Arc::clone(&count)))
            .build();
        let (ours, flooding) = tokio::io::duplex(4 << 20);
        let listener = Pipes(Mutex::new(vec![ours]));
        tokio::spawn(throng::serve(listener, gateway.clone(), future::pending()));
        let (ours, asking) = tokio::io::duplex(1 << 16);
        let options = ConnectOptions::new();
        tokio::spawn(gateway.serve_ws(ours, &[], Negotiated::default(), options));
        let mut scene = Self {
            gateway,
            count,
            flooding,
            asking,
            _channels: channels,
        };
        until(&mut scene.asking, r#""connected""#).await;
        scene
    }

    /// How many of the requests were carried out before the other connection got its answer.
    async fn flood(&mut self, requests: &str) -> usize {
        self.flooding.write_all(requests.as_bytes()).await.unwrap();
        let ping = masked_text(r#"{"type":"ping","id":1}"#);
        self.asking.write_all(&ping).await.unwrap();
        let (_, gone) = tokio::io::duplex(1);
        let mut asking = mem::replace(&mut self.asking, gone);
        let count = Arc::clone(&self.count);
        // A task, for the runtime looks after the future of the test less often.
        let answered = tokio::spawn(async move {
            until(&mut asking, r#""pong""#).await;
            // Relaxed: one thread.
            count.load(Ordering::Relaxed)
        });
        answered.await.unwrap()
    }
}

async fn until(stream: &mut DuplexStream, text: &str) -> String {
    let mut bytes = Vec::new();
    loop {
        let told = String::from_utf8_lossy(&bytes);
        if told.contains(text) {
            return told.into_owned();
        }
        let read = time::timeout(PATIENCE, stream.read_buf(&mut bytes)).await;
        assert_ne!(read.expect("more comes").unwrap(), 0, "{text}");
    }
}

#[tokio::test]
async fn requests_over_http_leave_others_their_turn() {
    let mut scene = Scene::new("channel.find").await;
    let find = "GET /api/v1/channels/find?pattern=*.*.*.~ HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let answered = scene.flood(&find.repeat(64)).await;
    assert!((1..=3).contains(&answered), "{answered} of 64");
    // The others are answered as well.
    let mut bytes = Vec::new();
    while String::from_utf8_lossy(&bytes)
        .matches("HTTP/1.1 200")
        .count()
        < 64
    {
        let read = time::timeout(PATIENCE, scene.flooding.read_buf(&mut bytes)).await;
        assert_ne!(read.expect("more comes").unwrap(), 0);
    }
}

#[tokio::test]
async fn changes_of_a_stream_leave_others_their_turn() {
    let scene = Scene::new("unsubscribe").await;
    let gateway = scene.gateway.clone();
    let request = hyper::Request::get("/sse").body(()).unwrap();
    let request = request.into_parts().0;
    let mut body = gateway.sse(&request).now_or_never().unwrap().into_body();
    let greeting = body.frame().await.unwrap().unwrap().into_data().unwrap();
    let greeting = String::from_utf8_lossy(&greeting);
    let (_, token) = greeting.split_once(r#""stream_token":""#).unwrap();
    let (token, _) = token.split_once('"').unwrap();
    let token = token.to_owned();
    let other = tokio::spawn(async move {
        // Relaxed: one thread.
        scene.count.load(Ordering::Relaxed)
    });
    for request in 0..16 {
        let names: Vec<_> = (0..64).map(|n| format!("{request}-{n}")).collect();
        let names = serde_json::json!({ "channels": names }).to_string();
        let change = hyper::Request::post("/")
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(names));
        let _answer = gateway.sse_unsubscribe(&token, change.unwrap()).await;
    }
    let joined = other.await.unwrap();
    assert!((1..=129).contains(&joined), "{joined} of {}", 16 * 64);
}

#[tokio::test]
async fn a_loop_of_the_application_leaves_others_their_turn() {
    let scene = Scene::new("channel.find").await;
    let gateway = scene.gateway.clone();
    let other = tokio::spawn(async move {
        // Relaxed: one thread.
        scene.count.load(Ordering::Relaxed)
    });
    for _ in 0..64 {
        let find = r#"{"type":"channel.find","pattern":"*.*.*.~"}"#;
        let find = Request::parse(find).unwrap();
        let _found = gateway.execute(Caller::server(), find).await.unwrap();
    }
    assert!((1..=3).contains(&other.await.unwrap()));
}
