//! A WebSocket client of other make: a program that is told what to send, line by line, and tells
//! what it sees; or tokio-tungstenite, in a thread, with the same manners.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Child;
use std::process::ChildStdin;
use std::process::Command;
use std::process::Stdio;
use std::sync::mpsc;
use std::thread;

use futures_util::SinkExt;
use futures_util::StreamExt;
use serde_json::Value;
use serde_json::json;
use tokio::runtime::Builder;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::binary::PATIENCE;

/// A client of other make.
pub(super) struct Foreign {
    orders: Orders,
    events: mpsc::Receiver<Value>,
}

enum Orders {
    Program(Child, ChildStdin),
    Thread(tokio::sync::mpsc::UnboundedSender<String>),
}

impl Foreign {
    /// Runs a program.
    pub(super) fn program(command: &mut Command) -> Self {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (teller, events) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The test may have enough.
                drop(teller.send(serde_json::from_str(&line).unwrap()));
            }
        });
        let input = child.stdin.take().unwrap();
        let orders = Orders::Program(child, input);
        Self { orders, events }
    }

    /// Runs tokio-tungstenite.
    pub(super) fn tungstenite(url: &str) -> Self {
        let (orders, ordered) = tokio::sync::mpsc::unbounded_channel();
        let (teller, events) = mpsc::channel();
        let url = url.to_owned();
        thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(converse(&url, ordered, &teller));
        });
        let orders = Orders::Thread(orders);
        Self { orders, events }
    }

    /// Has it send a text, or `close`.
    pub(super) fn say(&mut self, line: &str) {
        match &mut self.orders {
            Orders::Program(_, input) => writeln!(input, "{line}").unwrap(),
            Orders::Thread(orders) => orders.send(line.to_owned()).unwrap(),
        }
    }

    /// The next thing that it sees.
    pub(super) fn event(&self) -> Value {
        let event = self.events.recv_timeout(PATIENCE);
        event.expect("the client has seen something")
    }

    /// The next push, which is of this type.
    pub(super) fn expect(&self, kind: &str) -> Value {
        let event = self.event();
        assert_eq!(event["event"], "text", "{event}");
        let push: Value = serde_json::from_str(event["text"].as_str().unwrap()).unwrap();
        assert_eq!(push["type"], kind, "{push}");
        push
    }

    /// The close, which comes next.
    pub(super) fn closed(&self) -> (u64, String) {
        let event = self.event();
        assert_eq!(event["event"], "close", "{event}");
        let reason = event["reason"].as_str().unwrap().to_owned();
        (event["code"].as_u64().unwrap(), reason)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if let Orders::Program(child, _) = &mut self.orders {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

async fn converse(
    url: &str,
    mut orders: tokio::sync::mpsc::UnboundedReceiver<String>,
    teller: &mpsc::Sender<Value>,
) {
    let mut request = url.into_client_request().unwrap();
    let protocol = HeaderValue::from_static("throng.v1.json");
    request
        .headers_mut()
        .insert("sec-websocket-protocol", protocol);
    let (mut socket, response) = connect_async(request).await.unwrap();
    // The test may have enough.
    let tell = |event| drop(teller.send(event));
    let protocol = response.headers()["sec-websocket-protocol"]
        .to_str()
        .unwrap();
    tell(json!({"event": "open", "protocol": protocol, "extensions": ""}));
    loop {
        tokio::select! {
            order = orders.recv() => match order.as_deref() {
                Some("close") => {
                    let (code, reason) = (1000.into(), "bye".into());
                    socket.close(Some(CloseFrame { code, reason })).await.unwrap();
                }
                Some(text) => socket.send(Message::text(text)).await.unwrap(),
                None => return,
            },
            received = socket.next() => match received {
                Some(Ok(Message::Text(text))) => tell(json!({"event": "text", "text": &*text})),
                Some(Ok(Message::Binary(_))) => tell(json!({"event": "binary"})),
                Some(Ok(Message::Close(frame))) => {
                    let frame = frame.unwrap();
                    let code = u16::from(frame.code);
                    tell(json!({"event": "close", "code": code, "reason": &*frame.reason}));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
        }
    }
}
