//! The transports in servers of others: axum's, hyper's, and over streams of every kind.
//!
//! - The example is an application that serves its own routes, WebSocket and events, and ends well.
//! - One service serves them all under hyper alone, over TCP, a Unix socket, memory and TLS.
//! - What is sent right behind a handshake is not lost.
//! - Whoever may not connect is told why, in a form that programs read.
//! - The server serves any listener.

#[expect(dead_code, reason = "its `main` is for the one port that it names")]
#[path = "../examples/axum_app.rs"]
mod axum_app;

use bytes::Bytes;
use futures_util::SinkExt;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use http_body_util::Empty;
use http_body_util::Full;
use hyper::Request;
use hyper::Response;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::server::conn::http1 as server;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use serde_json::json;
use throng::ConnectOptions;
use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::OutboxLimits;
use throng::SlowConsumer;
use throng::transport::Transport;
use throng::transport::Unauthenticated;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio_tungstenite::WebSocketStream;
use tungstenite::Message as WsMessage;

/// What hyper can be given, and what clients can be.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for IO {}

/// The next push.
async fn push<IO: Stream>(socket: &mut WebSocketStream<IO>) -> Value {
    loop {
        match socket.next().await.unwrap().unwrap() {
            WsMessage::Text(text) => return serde_json::from_str(&text).unwrap(),
            WsMessage::Ping(_) => {}
            other => panic!("not a push: {other:?}"),
        }
    }
}

/// A client over this stream that is subscribed to `channel`.
async fn join<IO: Stream>(io: IO, uri: &str, channel: &str) -> WebSocketStream<IO> {
    let (mut socket, _) = tokio_tungstenite::client_async(uri, io).await.unwrap();
    assert_eq!(push(&mut socket).await["type"], "connected");
    let subscribe = json!({"type": "subscribe", "channel_id": channel});
    socket.send(subscribe.to_string().into()).await.unwrap();
    assert_eq!(push(&mut socket).await["type"], "joined");
    socket
}

/// The answer to one request over this stream.
async fn ask<IO: Stream, B>(io: IO, request: Request<B>) -> Response<Incoming>
where
    B: Body<Data: Send, Error: std::error::Error + Send + Sync> + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    sender.send_request(request).await.unwrap()
}

fn get(uri: &str) -> Request<Empty<Bytes>> {
    Request::get(uri)
        .header("host", "x")
        .body(Empty::new())
        .unwrap()
}

/// Reads a stream of events up to one that contains `text`.
async fn event_with(body: &mut Incoming, text: &str) -> String {
    let mut read = String::new();
    while !read.contains(text) {
        let frame = body.frame().await.unwrap().unwrap();
        read += std::str::from_utf8(frame.data_ref().unwrap()).unwrap();
    }
    read
}

#[tokio::test]
async fn the_example_serves_its_own_routes_and_ours() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(axum_app::serve(listener, async { drop(stopped.await) }));
    let tcp = || async { TcpStream::connect(address).await.unwrap() };

    let mut socket = join(tcp().await, "ws://localhost/live/ws", "likes").await;
    let mut events = ask(tcp().await, get("/live/sse?channels=likes"))
        .await
        .into_body();
    event_with(&mut events, "event: joined").await;
    let like = Request::post("/like")
        .header("host", "x")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let liked = ask(tcp().await, like)
        .await
        .into_body()
        .collect()
        .await
        .unwrap();
    assert_eq!(liked.to_bytes(), "1 likes, 2 told\n");
    assert_eq!(push(&mut socket).await["data"], 1);
    let event = event_with(&mut events, "event: message").await;
    assert!(event.contains("\"data\":1"), "{event}");

    stop.send(()).unwrap();
    assert_eq!(push(&mut socket).await["data"]["code"], 1001);
    let WsMessage::Close(Some(close)) = socket.next().await.unwrap().unwrap() else {
        panic!("no close");
    };
    assert_eq!(u16::from(close.code), 1001);
    event_with(&mut events, "event: disconnect").await;
    drop((socket, events));
    serving.await.unwrap();
}

/// Serves the gateway over this stream, by hyper alone.
fn serve<IO: Stream>(gateway: &Gateway, io: IO) {
    let connection = server::Builder::new()
        .serve_connection(TokioIo::new(io), gateway.service())
        .with_upgrades();
    tokio::spawn(connection);
}

/// A client gets what is published over a stream that is one of these pairs.
async fn assert_serves<A: Stream, B: Stream>(ours: A, theirs: B) {
    let gateway = Gateway::new(Hub::new());
    serve(&gateway, ours);
    let mut socket = join(theirs, "ws://localhost/ws", "news").await;
    let large = "x".repeat(1 << 19);
    for text in ["small", &large, "last"] {
        let delivery = gateway
            .hub()
            .publish("news", Message::text(text.to_owned()))
            .unwrap();
        assert_eq!(delivery.delivered(), 1);
    }
    for text in ["small", &large, "last"] {
        assert_eq!(push(&mut socket).await["text"], text);
    }
    let client = gateway.stats(Transport::Ws);
    assert_eq!((client.open, client.frames_out), (1, 5));
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let theirs = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    (listener.accept().await.unwrap().0, theirs)
}

#[tokio::test]
async fn it_serves_over_tcp() {
    let (ours, theirs) = tcp_pair().await;
    assert_serves(ours, theirs).await;
}

#[cfg(unix)]
#[tokio::test]
async fn it_serves_over_a_unix_socket() {
    let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
    assert_serves(ours, theirs).await;
}

#[tokio::test]
async fn it_serves_over_memory() {
    // Less than a frame fits.
    let (ours, theirs) = tokio::io::duplex(100);
    assert_serves(ours, theirs).await;
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn it_serves_over_tls_of_the_embedder() {
    let (acceptor, connector) = crate::tls::ends();
    let (ours, theirs) = tcp_pair().await;
    let name = "localhost".try_into().unwrap();
    let (ours, theirs) = tokio::join!(acceptor.accept(ours), connector.connect(name, theirs));
    assert_serves(ours.unwrap(), theirs.unwrap()).await;
}

#[tokio::test]
async fn one_service_serves_events_and_what_goes_with_them() {
    let gateway = Gateway::new(Hub::new());
    let (ours, theirs) = tokio::io::duplex(4096);
    serve(&gateway, ours);
    let mut events = ask(theirs, get("/sse?channels=a")).await.into_body();
    let connected = event_with(&mut events, "\n\n").await;
    let token = connected.split("\"stream_token\":\"").nth(1).unwrap();
    let token = token.split('"').next().unwrap();

    for (what, subscribers) in [("subscribe", 1), ("unsubscribe", 0)] {
        let (ours, theirs) = tokio::io::duplex(4096);
        serve(&gateway, ours);
        let request = Request::post(format!("/sse/{token}/{what}"))
            .header("host", "x")
            .header("content-type", "application/json")
            .body(Full::<Bytes>::from(r#"{"channels":["b"]}"#))
            .unwrap();
        assert_eq!(ask(theirs, request).await.status(), 200);
        assert_eq!(gateway.hub().subscriber_count("b"), subscribers);
    }
    let (ours, theirs) = tokio::io::duplex(4096);
    serve(&gateway, ours);
    assert_eq!(ask(theirs, get("/elsewhere")).await.status(), 404);
}

#[tokio::test]
async fn what_comes_right_behind_a_handshake_is_not_lost() {
    let gateway = Gateway::new(Hub::new());
    let (ours, mut theirs) = tcp_pair().await;
    serve(&gateway, ours);
    let handshake = b"GET /ws HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
        upgrade: websocket\r\nsec-websocket-version: 13\r\n\
        sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    // Masked with zeros.
    let ping = b"\x81\x8f\0\0\0\0{\"type\":\"ping\"}";
    theirs
        .write_all(&[&handshake[..], ping].concat())
        .await
        .unwrap();
    let mut read = Vec::new();
    while !read.windows(6).any(|window| window == b"\"pong\"") {
        assert_ne!(theirs.read_buf(&mut read).await.unwrap(), 0);
    }
}

/// The status, the code and the header of the answer to a handshake.
async fn refused(gateway: &Gateway, header: &str) -> (u16, String, Option<String>) {
    let (ours, theirs) = tokio::io::duplex(4096);
    serve(gateway, ours);
    let request = Request::get("/ws")
        .header("host", "x")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = ask(theirs, request).await;
    let status = response.status().as_u16();
    let value = response.headers().get(header);
    let value = value.map(|value| value.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    (status, problem["code"].as_str().unwrap().to_owned(), value)
}

#[tokio::test]
async fn whoever_may_not_connect_is_told_why() {
    let gateway = Gateway::builder(Hub::new())
        .authenticate(|request| match request.headers.get("x-user") {
            Some(_) => Ok(ConnectOptions::new()),
            None => Err(Unauthenticated::new("who are you?")),
        })
        .build();
    let (status, code, kind) = refused(&gateway, "content-type").await;
    assert_eq!((status, code.as_str()), (401, "unauthenticated"));
    assert_eq!(kind.as_deref(), Some("application/problem+json"));

    gateway.drain().await;
    let (status, code, retry_after) = refused(&gateway, "retry-after").await;
    assert_eq!((status, code.as_str()), (503, "draining"));
    let seconds: u64 = retry_after.unwrap().parse().unwrap();
    assert!((1..=5).contains(&seconds), "{seconds}");
}

#[cfg(unix)]
#[tokio::test]
async fn the_server_serves_any_listener() {
    let path = format!(
        "{}/socket-{}",
        env!("CARGO_TARGET_TMPDIR"),
        std::process::id()
    );
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let hub = Hub::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(throng::serve(listener, hub.clone(), async {
        drop(stopped.await);
    }));
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    std::fs::remove_file(path).unwrap();
    let mut socket = join(stream, "ws://localhost/ws", "news").await;
    let _delivery = hub.publish("news", Message::text("1")).unwrap();
    assert_eq!(push(&mut socket).await["data"], 1);
    stop.send(()).unwrap();
    assert_eq!(push(&mut socket).await["data"]["code"], 1001);
    while socket.next().await.is_some() {}
    serving.await.unwrap();
    assert!(!hub.is_closed(), "it is its maker's");
}

/// The service is one of tower, too.
#[tokio::test]
async fn it_is_a_service_of_tower() {
    use tower_service::Service;

    let mut service = Gateway::new(Hub::new()).service();
    std::future::poll_fn(|cx| Service::<Request<Full<Bytes>>>::poll_ready(&mut service, cx))
        .await
        .unwrap();
    let request = Request::get("/elsewhere")
        .body(Full::<Bytes>::default())
        .unwrap();
    let response = Service::call(&mut service, request).await.unwrap();
    assert_eq!(response.status(), 404);
}

/// Publishes while the server's task does not run, so that the outbox is all the room there is.
async fn joined_both(hub: &Hub, keys: usize) -> WebSocketStream<TcpStream> {
    let gateway = Gateway::builder(hub.clone()).gap_keys(keys).build();
    let (ours, theirs) = tcp_pair().await;
    serve(&gateway, ours);
    let mut socket = join(theirs, "ws://localhost/ws", "ticks").await;
    let subscribe = json!({"type": "subscribe", "channel_id": "strict"});
    socket.send(subscribe.to_string().into()).await.unwrap();
    assert_eq!(push(&mut socket).await["type"], "joined");
    socket
}

fn small_hub() -> Hub {
    let limits = OutboxLimits::new().messages(16);
    Hub::builder().outbox(limits).build().unwrap()
}

#[tokio::test]
async fn a_strict_channel_has_no_hole_beside_one_that_conflates() {
    let hub = small_hub();
    let strict = hub.channel("strict").unwrap();
    strict.set_slow_consumer(Some(SlowConsumer::DISCONNECT));
    let ticks = hub.channel("ticks").unwrap();
    ticks.set_slow_consumer(Some(SlowConsumer::KeepLatest));
    let mut socket = joined_both(&hub, 0).await;
    for _ in 0..10 {
        let _delivery = strict.publish(Message::static_text("strict")).unwrap();
    }
    for number in 0..100 {
        let tick = Message::static_text("tick").key((number % 10).to_string());
        let _delivery = ticks.publish(tick).unwrap();
    }
    let last = strict.publish(Message::static_text("strict")).unwrap();
    assert_eq!(last.disconnected(), 1);
    let mut received = 0;
    while let Some(Ok(WsMessage::Text(text))) = socket.next().await {
        let push: Value = serde_json::from_str(&text).unwrap();
        if push["channel_id"] == "strict" && push["type"] == "message" {
            received += 1;
            assert_eq!(push["offset"], received, "no hole");
        }
    }
    assert_eq!(received, 10, "all but the one that closed it");
}

#[tokio::test]
async fn a_gap_lists_the_keys_that_were_lost() {
    let hub = small_hub();
    let mut socket = joined_both(&hub, 3).await;
    for number in 0..16 {
        let message = Message::static_text("fits").key(format!("{number}"));
        let _delivery = hub.publish("ticks", message).unwrap();
    }
    for key in [&b"text"[..], b"\xff\xfe", b"three", b"four"] {
        let message = Message::static_text("lost").key(Bytes::copy_from_slice(key));
        assert_eq!(hub.publish("ticks", message).unwrap().dropped(), 1);
    }
    let gap = push(&mut socket).await;
    assert_eq!(
        (&gap["type"], &gap["data"]["missed"]),
        (&json!("gap"), &json!(4))
    );
    let keys = json!(["text", {"base64": "//4="}, "three"]);
    assert_eq!(
        (&gap["data"]["keys"], &gap["data"]["more"]),
        (&keys, &json!(true))
    );
}
