//! A WebSocket client made by somebody else.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;
use tungstenite::Bytes;
use tungstenite::Error;
use tungstenite::HandshakeError;
use tungstenite::Message;
use tungstenite::WebSocket;
use tungstenite::client::IntoClientRequest;

use crate::binary::PATIENCE;

/// A client.
pub(crate) struct Ws {
    socket: WebSocket<TcpStream>,
    greeting: Value,
    farewell: Value,
}

impl Ws {
    pub(crate) fn open(address: SocketAddr, path: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let (socket, _) = tungstenite::client(format!("ws://{address}{path}"), stream).unwrap();
        Self {
            socket,
            greeting: Value::Null,
            farewell: Value::Null,
        }
    }

    /// A client whose handshake has these headers besides; or the status of the response that does
    /// not switch.
    pub(crate) fn open_with(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = format!("ws://{address}{path}")
            .into_client_request()
            .unwrap();
        for (name, value) in headers {
            let value = value.parse().unwrap();
            request.headers_mut().insert(*name, value);
        }
        match tungstenite::client(request, stream) {
            Ok((socket, response)) => {
                let echoed = format!("{:?}", response.headers());
                assert!(!echoed.contains("bearer"), "a secret is echoed: {echoed}");
                Ok(Self {
                    socket,
                    greeting: Value::Null,
                    farewell: Value::Null,
                })
            }
            Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    /// Reads the first push, which tells the client who it is.
    pub(crate) fn greeted(mut self) -> Self {
        self.greeting = self.expect("connected");
        self
    }

    /// What the first push said.
    pub(crate) fn greeting(&self) -> &Value {
        &self.greeting["data"]
    }

    pub(crate) fn id(&self) -> String {
        self.greeting()["client_id"].as_str().unwrap().to_owned()
    }

    /// Sends a text, whatever it is.
    pub(crate) fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    pub(crate) fn send(&mut self, message: Message) {
        self.socket.send(message).unwrap();
    }

    /// Sends a command and returns the next push.
    pub(crate) fn ask(&mut self, command: &str) -> Value {
        self.say(command);
        self.push()
    }

    /// Sends a command and returns the next push that is a reply.
    pub(crate) fn reply(&mut self, command: &str) -> Value {
        self.say(command);
        loop {
            let push = self.push();
            if push["reply_to"] != Value::Null {
                return push;
            }
        }
    }

    /// The next push of this type; others before it are skipped.
    pub(crate) fn wait_for(&mut self, kind: &str) -> Value {
        loop {
            let push = self.push();
            if push["type"] == kind {
                return push;
            }
        }
    }

    /// Subscribes, and returns the `joined`.
    pub(crate) fn join(&mut self, channel: &str) -> Value {
        self.say(&format!(
            r#"{{"id":"join","type":"subscribe","channel_id":"{channel}"}}"#
        ));
        let joined = self.expect("joined");
        assert_eq!(
            (&joined["reply_to"], &joined["channel_id"]),
            (&"join".into(), &channel.into())
        );
        joined
    }

    /// The next frame that is no ping.
    pub(crate) fn read(&mut self) -> Message {
        let begun = Instant::now();
        loop {
            let read = match self.socket.read() {
                // A signal to this process, which a call without a handler takes up again by itself
                // and one with a timeout does not.
                Err(Error::Io(error)) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.unwrap(),
            };
            match read {
                // Pings keep the connection alive; what is waited for may still never come.
                Message::Ping(_) if begun.elapsed() < PATIENCE => self.socket.flush().unwrap(),
                Message::Ping(_) => panic!("nothing but pings for {PATIENCE:?}"),
                message => return message,
            }
        }
    }

    /// The next push.
    pub(crate) fn push(&mut self) -> Value {
        match self.read() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("not a push: {other:?}"),
        }
    }

    /// The next push, which is of this type.
    pub(crate) fn expect(&mut self, kind: &str) -> Value {
        let push = self.push();
        assert_eq!(push["type"], kind, "{push}");
        push
    }

    /// Answers the close that comes next, and says what it said. Before it comes the push that
    /// tells the same and when to come back.
    pub(crate) fn closed(&mut self) -> (u16, String) {
        let (pushes, close) = self.rest();
        assert!(pushes.is_empty(), "not a close: {pushes:?}");
        close
    }

    /// Reads pushes until the close, and returns both.
    pub(crate) fn rest(&mut self) -> (Vec<Value>, (u16, String)) {
        let mut pushes: Vec<Value> = Vec::new();
        loop {
            match self.read() {
                Message::Text(text) => pushes.push(serde_json::from_str(&text).unwrap()),
                Message::Close(Some(frame)) => {
                    let close = (frame.code.into(), frame.reason.to_string());
                    self.take_farewell(&mut pushes, &close);
                    // Answered by the next read, which finds that the server has hung up.
                    drop(self.socket.read());
                    return (pushes, close);
                }
                other => panic!("neither push nor close: {other:?}"),
            }
        }
    }

    /// What the last push before a close said about it.
    pub(crate) fn farewell(&self) -> &Value {
        &self.farewell["data"]
    }

    fn take_farewell(&mut self, pushes: &mut Vec<Value>, close: &(u16, String)) {
        if let Some(last) = pushes.pop_if(|push| push["type"] == "disconnect") {
            let said = (&last["data"]["code"], &last["data"]["reason"]);
            assert_eq!(said, (&close.0.into(), &close.1.as_str().into()), "{last}");
            self.farewell = last;
        }
    }

    /// Sends a ping and returns what the next pong carries.
    pub(crate) fn ping(&mut self, payload: &'static [u8]) -> Bytes {
        self.socket
            .send(Message::Ping(Bytes::from_static(payload)))
            .unwrap();
        match self.read() {
            Message::Pong(payload) => payload,
            other => panic!("not a pong: {other:?}"),
        }
    }

    /// Closes, and waits for the answer.
    pub(crate) fn close(mut self) {
        self.socket.close(None).unwrap();
        while self.socket.read().is_ok() {}
    }

    /// The bare connection.
    pub(crate) fn stream(&self) -> &TcpStream {
        self.socket.get_ref()
    }
}
