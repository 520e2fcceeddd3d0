//! Dialects over real sockets: `throng.v1.raw` through the shipped binary, and those of an
//! application.

#[expect(dead_code, reason = "its `main` is for the one port that it names")]
#[path = "../examples/echo.rs"]
mod echo;

use std::net::SocketAddr;
use std::net::TcpStream;
use std::thread;

use serde_json::json;
use throng::Disconnect;
use throng::EncodingSlot;
use throng::Event;
use throng::Gateway;
use throng::Hub;
use throng::Message as Published;
use throng::protocol::Dialect;
use throng::protocol::Heard;
use throng::protocol::Push;
use throng::protocol::Request;
use throng::protocol::Said;
use throng::session::ClientPublish;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tungstenite::Message;
use tungstenite::WebSocket;
use tungstenite::client::IntoClientRequest;
use tungstenite::http::HeaderValue;

use crate::binary::PATIENCE;
use crate::binary::Throng;

/// A client of a dialect.
struct Socket(WebSocket<TcpStream>);

impl Socket {
    fn open(address: SocketAddr, path: &str, offers: &'static str) -> (Self, String) {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("ws://{address}{path}")
            .into_client_request()
            .unwrap();
        let offers = HeaderValue::from_static(offers);
        request
            .headers_mut()
            .insert("sec-websocket-protocol", offers);
        let (socket, response) = tungstenite::client(request, stream).unwrap();
        let chosen = &response.headers()["sec-websocket-protocol"];
        (Self(socket), chosen.to_str().unwrap().to_owned())
    }

    fn raw(throng: &Throng, query: &str) -> Self {
        let (socket, chosen) = Self::open(throng.address, &format!("/ws?{query}"), "throng.v1.raw");
        assert_eq!(chosen, "throng.v1.raw");
        socket
    }

    fn read(&mut self) -> Message {
        self.0.read().unwrap()
    }

    fn say(&mut self, message: Message) {
        self.0.send(message).unwrap();
    }

    /// The close that comes next, and nothing before it.
    fn closed(&mut self) -> (u16, String) {
        match self.read() {
            Message::Close(Some(close)) => (close.code.into(), close.reason.to_string()),
            other => panic!("no close, but {other:?}"),
        }
    }
}

/// Waits until so many clients are in a channel.
fn joined(throng: &Throng, channel: &str, subscribers: u64) {
    let path = format!("/api/v1/channels/{channel}");
    while throng.get(&path).json()["subscribers"] != subscribers {
        thread::yield_now();
    }
}

#[test]
fn raw_brings_payloads_alone_as_text_or_binary() {
    let throng = Throng::start(&[]);
    let mut feed = Socket::raw(&throng, "channels=a,b%20c&channel=d");
    for channel in ["a", "b%20c", "d"] {
        joined(&throng, channel, 1);
    }
    throng.publish("a", &json!({"px": 1}));
    assert_eq!(feed.read(), Message::text(r#"{"px":1}"#));
    let mut publisher = throng.ws();
    for payload in [
        r#""text":"plain""#,
        r#""base64":"AP8=""#,
        r#""data":[1.50]"#,
    ] {
        let publish = format!(r#"{{"id":1,"type":"publish","channel_id":"d",{payload}}}"#);
        assert_eq!(publisher.ask(&publish)["type"], "ack");
    }
    assert_eq!(feed.read(), Message::text("plain"));
    assert_eq!(feed.read(), Message::binary(vec![0, 255]));
    assert_eq!(feed.read(), Message::text("[1.50]"));
    // Pings are answered, and nothing else has come.
    feed.say(Message::Ping(tungstenite::Bytes::from_static(b"x")));
    assert_eq!(
        feed.read(),
        Message::Pong(tungstenite::Bytes::from_static(b"x"))
    );
    feed.say(Message::text("anything"));
    assert_eq!(feed.closed(), (1003, "unsupported data".to_owned()));
}

#[test]
fn raw_is_closed_where_it_asks_for_what_it_cannot_have() {
    let throng = Throng::start(&["--max-subscriptions", "2"]);
    for (query, reason) in [
        ("", "`channels` is needed in the query"),
        ("channels=a%2", "a name in the query is not allowed"),
        ("channels=a,,b", "a name in the query is not allowed"),
        ("channels=a,b,c", "bad request"),
        ("channels=private-x", "bad request"),
    ] {
        let mut feed = Socket::raw(&throng, query);
        assert_eq!(feed.closed(), (3501, reason.to_owned()), "{query}");
    }
    let many: Vec<_> = (0..65).map(|number| format!("channel={number}")).collect();
    let mut feed = Socket::raw(&throng, &many.join("&"));
    let reason = "the query names more than 64 channels";
    assert_eq!(feed.closed(), (3501, reason.to_owned()));
    let mut feed = Socket::raw(&throng, "channels=a");
    feed.say(Message::binary(vec![1]));
    assert_eq!(feed.closed().0, 1003);
}

#[test]
fn raw_clients_that_are_slow_lose_by_their_counters_and_by_their_close() {
    const BYTES: usize = 500_000;
    let throng = Throng::start(&["--slow-consumer", "disconnect", "--outbox-messages", "4"]);
    let mut feed = Socket::raw(&throng, "channels=a");
    joined(&throng, "a", 1);
    let text = "x".repeat(BYTES);
    let mut dropped = 0;
    while dropped == 0 {
        let report = throng.publish("a", &json!(text));
        dropped = report["dropped"].as_u64().unwrap();
    }
    let mut read = 0;
    loop {
        match feed.read() {
            Message::Text(text) => assert_eq!(text.len(), BYTES + 2),
            Message::Close(close) => break assert_eq!(u16::from(close.unwrap().code), 3008),
            other => panic!("{other:?}"),
        }
        read += 1;
    }
    assert!(read > 0);
}

#[test]
fn the_first_dialect_in_the_list_of_the_client_is_spoken() {
    let throng = Throng::start(&[]);
    for (offers, chosen) in [
        ("throng.v1.json, throng.v1.raw", "throng.v1.json"),
        ("other, throng.v1.raw, throng.v1.json", "throng.v1.raw"),
        ("other, throng.v1.json", "throng.v1.json"),
    ] {
        let (mut socket, spoken) = Socket::open(throng.address, "/ws?channels=a", offers);
        assert_eq!(spoken, chosen);
        if spoken == "throng.v1.json" {
            assert!(socket.read().to_text().unwrap().contains("\"connected\""));
        } else {
            socket.say(Message::text("x"));
            assert_eq!(socket.closed().0, 1003);
        }
    }
}

/// Serves on a port of its own while `test` runs.
fn served<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(TcpListener, oneshot::Receiver<()>) -> F,
    test: impl FnOnce(SocketAddr),
) {
    let runtime = Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let serving = runtime.spawn(serve(listener, stopped));
    test(address);
    drop(stop);
    runtime.block_on(serving).unwrap();
}

#[test]
fn the_example_echoes_text_and_binary_in_order() {
    let serve = |listener, stopped: oneshot::Receiver<()>| {
        echo::serve(listener, async { drop(stopped.await) })
    };
    served(serve, |address| {
        let (mut socket, chosen) = Socket::open(address, "/ws", "echo");
        assert_eq!(chosen, "echo");
        let sent: Vec<_> = (0..100_u8)
            .map(|number| match number % 2 {
                0 => Message::text(number.to_string()),
                _ => Message::binary(vec![number; 60_000]),
            })
            .collect();
        for message in &sent {
            socket.say(message.clone());
            assert_eq!(socket.read(), *message);
        }
        socket.0.close(None).unwrap();
        while socket.0.read().is_ok() {}
    });
}

/// Words: `+news` subscribes, `news hello` publishes, `!` panics; what comes is `news: hello`.
struct Words;

impl Dialect for Words {
    fn subprotocols(&self) -> &'static [&'static str] {
        &["words"]
    }

    fn hear(&self, message: Published) -> Heard {
        let text = String::from_utf8_lossy(message.payload()).into_owned();
        let request = match text.split_at_checked(1) {
            Some(("+", channel)) => json!({"type": "subscribe", "channel_id": channel}),
            Some(("!", _)) => panic!("on purpose"),
            _ => match text.split_once(' ') {
                Some((channel, text)) => {
                    json!({"type": "publish", "channel_id": channel, "text": text})
                }
                None => json!({"type": text}),
            },
        };
        match Request::parse(&request.to_string()) {
            Ok(request) => Heard::Request(request),
            Err(fault) => Heard::Refused(fault),
        }
    }

    fn say(&self, push: Push<'_>) -> Said {
        let text = match push {
            Push::Joined { joined, .. } => format!("in {}", joined.channel),
            Push::Error(fault) => format!("no: {}", fault.code().as_str()),
            Push::Frame(frame) => match (frame.event(), frame.channel()) {
                (Event::Message(message), Some(channel)) => {
                    let text = String::from_utf8_lossy(message.payload());
                    format!("{channel}: {text}")
                }
                _ => return Said::Nothing,
            },
            Push::Disconnect { why, .. } => format!("bye: {}", why.reason()),
            _ => return Said::Nothing,
        };
        Said::Message(Published::text(text))
    }
}

#[test]
fn a_dialect_of_an_application_asks_hears_and_is_told_why_it_ends() {
    let hub = Hub::new();
    let gateway = Gateway::builder(hub.clone())
        .client_publish(ClientPublish::Allow)
        .dialect(&Words)
        .build();
    let serve = |listener, stopped: oneshot::Receiver<()>| async move {
        throng::serve(listener, gateway, async { drop(stopped.await) }).await;
    };
    served(serve, |address| {
        let [mut ada, mut bob, mut eve] = [(); 3].map(|()| Socket::open(address, "/ws", "words").0);
        for socket in [&mut ada, &mut bob] {
            socket.say(Message::text("+news"));
            assert_eq!(socket.read(), Message::text("in news"));
        }
        ada.say(Message::text("news hello"));
        for socket in [&mut ada, &mut bob] {
            assert_eq!(socket.read(), Message::text("news: hello"));
        }
        ada.say(Message::text("nonsense"));
        assert_eq!(ada.read(), Message::text("no: unknown_type"));
        // A panic ends its own connection.
        eve.say(Message::text("!"));
        assert_eq!(eve.closed().0, 1011);
        // The dialect says nothing of a broadcast.
        for _ in 0..20 {
            let _delivery = hub.broadcast("to all").unwrap();
            bob.say(Message::text("nonsense"));
            assert_eq!(bob.read(), Message::text("no: unknown_type"));
        }
        let _delivery = hub.publish("news", "again").unwrap();
        assert_eq!(bob.read(), Message::text("news: again"));
        hub.close(Disconnect::SHUTDOWN);
        assert_eq!(bob.read(), Message::text("bye: shutdown"));
        assert_eq!(bob.closed().0, 3001);
    });
}

#[test]
fn eight_dialects_may_be_added_and_no_more() {
    let gateway = |dialects: usize| {
        let builder = Gateway::builder(Hub::new());
        let builder = (0..dialects).fold(builder, |builder, _| builder.dialect(&Words));
        builder.try_build()
    };
    assert!(gateway(EncodingSlot::CUSTOM).is_ok());
    let error = gateway(EncodingSlot::CUSTOM + 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "9 dialects were added to the gateway, at most 8 are allowed"
    );
}
