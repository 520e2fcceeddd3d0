//! What idle clients of the default server keep on the heap: over WebSocket, and of events.
//!
//! A test binary of its own, because the counting allocator is one for the whole process; and one
//! test, because the counts are those of all threads.

#![expect(unsafe_code, reason = "an allocator that counts")]

#[path = "../support/budgets.rs"]
mod budgets;
#[path = "../support/counting.rs"]
mod counting;

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use throng::Gateway;
use throng::Hub;
use throng::Layers;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

/// Those who come first pay for what the process makes once, so they are not counted.
const FIRST: usize = 16;

#[test]
fn an_idle_client_keeps_within_its_budget() {
    for (name, open) in [
        ("idle", Served::websocket as fn(&Served) -> TcpStream),
        ("idle-sse", Served::events),
    ] {
        let served = Served::start();
        let mut clients = Vec::with_capacity(budgets::CLIENTS);
        clients.extend((0..FIRST).map(|_| open(&served)));
        let before = live(&served);
        clients.extend((FIRST..budgets::CLIENTS).map(|_| open(&served)));
        let after = live(&served);

        let counted = budgets::CLIENTS - FIRST;
        let bytes = (after.bytes - before.bytes).div_ceil(counted);
        let blocks = (after.blocks - before.blocks).div_ceil(counted);
        let made = (after.allocations - before.allocations).div_ceil(counted);
        println!("{name}: a client keeps {bytes} bytes in {blocks} of {made} blocks");
        hold(&format!("{name}-bytes"), bytes);
        hold(&format!("{name}-blocks"), blocks);
    }
}

/// Fails above the budget, and more than a tenth below it.
fn hold(name: &str, is: usize) {
    let budget = budgets::budget(name);
    assert!(is <= budget, "{is} is more than {name}, {budget}");
    assert!(
        is >= budget - budget / 10,
        "{is} is far less than {name}, {budget}: lower it in tests/support/budgets.txt"
    );
}

/// What the heap says.
struct Live {
    bytes: usize,
    blocks: usize,
    allocations: usize,
}

/// What the heap says when the server has done all there was to do: it has one thread, which
/// answers the second of two requests after whatever was to be done before the first.
fn live(served: &Served) -> Live {
    for _ in 0..2 {
        let mut stream = served.connect();
        stream.write_all(HEALTH).expect("the server reads");
        let mut answer = Vec::new();
        stream
            .read_to_end(&mut answer)
            .expect("the server answers, and hangs up");
        assert!(answer.ends_with(b"ok"));
    }
    Live {
        bytes: counting::bytes(),
        blocks: counting::blocks(),
        allocations: counting::allocations(),
    }
}

/// The default server on one thread, with everything that `throng serve` has unless it is told
/// otherwise.
struct Served {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Served {
    fn start() -> Self {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let hub = Hub::new();
            let layers = Layers::new(&hub);
            let gateway = Gateway::builder(hub)
                .layers(layers)
                .drain_window(Duration::ZERO)
                .build();
            let stopped = async { drop(stopped.await) };
            runtime.block_on(throng::serve(listener, gateway, stopped));
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("the server accepts");
        stream
            .set_read_timeout(Some(PATIENCE))
            .expect("a socket takes it");
        stream
    }

    /// A client that has subscribed, and says no more. It has nothing on the heap itself.
    fn websocket(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(HANDSHAKE).expect("the server reads");
        read_until(&mut stream, b"connected", b"}");
        stream.write_all(SUBSCRIBE).expect("the server reads");
        read_until(&mut stream, b"joined", b"}");
        stream
    }

    /// A stream of events, likewise.
    fn events(&self) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(EVENTS).expect("the server reads");
        read_until(&mut stream, b"event: joined", b"}\n\n\r\n");
        stream
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has failed the test already.
            drop(thread.join());
        }
    }
}

/// Reads the push that is expected next, which the server sends in one piece; nothing comes behind
/// it.
fn read_until(stream: &mut TcpStream, expected: &[u8], end: &[u8]) {
    let mut buffer = [0; 4 << 10];
    let mut filled = 0;
    while !ends(&buffer[..filled], expected, end) {
        let read = stream.read(&mut buffer[filled..]).expect("an answer");
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&buffer[..filled]));
        filled += read;
    }
}

/// Whether a push of this type has come whole.
fn ends(bytes: &[u8], expected: &[u8], end: &[u8]) -> bool {
    bytes.windows(expected.len()).any(|part| part == expected) && bytes.ends_with(end)
}

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for a WebSocket, as a browser would.
const HANDSHAKE: &[u8] = b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    Sec-WebSocket-Protocol: throng.v1.json\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0 Safari/537.36\r\n\r\n";

/// Masked by zeros: a text frame of 48 bytes.
const SUBSCRIBE: &[u8] =
    b"\x81\xb0\0\0\0\0{\"type\":\"subscribe\",\"id\":1,\"channel_id\":\"bench\"}";

/// Asks for a stream of events, as a browser would.
const EVENTS: &[u8] =
    b"GET /sse?channel=bench HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) Chrome/130.0.0.0 Safari/537.36\r\n\r\n";

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
