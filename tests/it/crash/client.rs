//! Clients that take it as it comes when the server is gone.

use std::io::Error as IoError;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;

use serde_json::Value;
use serde_json::json;
use tungstenite::Error;
use tungstenite::Message;
use tungstenite::WebSocket;

use crate::binary::PATIENCE;

/// A user that asks for one thing after the other; `None` is an answer that never came.
pub(super) trait Asks: Send {
    fn ask(&mut self, command: &Value) -> Option<Result<Value, String>>;
}

/// Asks over REST, each on a connection of its own.
pub(super) struct Rest {
    pub(super) address: SocketAddr,
    pub(super) user: String,
}

impl Asks for Rest {
    fn ask(&mut self, command: &Value) -> Option<Result<Value, String>> {
        let text = |name: &str| command[name].as_str().unwrap();
        let messages = format!("/api/v1/rooms/{}/messages", text("room_id"));
        let (method, path) = match text("type") {
            "room.send" => ("POST", messages),
            "message.edit" => ("PATCH", format!("{messages}/{}", text("message_id"))),
            "message.delete" => ("DELETE", format!("{messages}/{}", text("message_id"))),
            "message.react" => (
                "PUT",
                format!("{messages}/{}/reactions/%2B", text("message_id")),
            ),
            other => panic!("no path for {other}"),
        };
        let mut body = json!({});
        for field in ["text", "metadata"] {
            if let Some(value) = command.get(field) {
                body[field] = value.clone();
            }
        }
        let (status, body) = self.request(method, &path, &body.to_string())?;
        if status < 300 {
            Some(Ok(body))
        } else {
            Some(Err(body["code"].as_str().unwrap().to_owned()))
        }
    }
}

impl Rest {
    fn request(&self, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
        let mut stream = connect(self.address)?;
        let (user, length) = (&self.user, body.len());
        let request = format!(
            "{method} {path}?actor={user} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(gone).ok()?;
        let answer = String::from_utf8(answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.get(9..12)?.parse().ok()?;
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(body).ok()?
        };
        Some((status, body))
    }
}

/// Asks over a WebSocket.
pub(super) struct Socket {
    socket: WebSocket<TcpStream>,
    asked: u64,
}

impl Socket {
    pub(super) fn open(address: SocketAddr, user: &str) -> Option<Self> {
        let url = format!("ws://{address}/ws?user={user}");
        let (socket, _) = tungstenite::client(url, connect(address)?).ok()?;
        Some(Self { socket, asked: 0 })
    }

    /// The next push that answers something, and what it answers.
    fn answer(&mut self) -> Option<(String, Result<Value, String>)> {
        loop {
            let text = match self.socket.read() {
                Ok(Message::Text(text)) => text,
                Ok(_) => continue,
                Err(Error::Io(error)) => {
                    gone(error);
                    return None;
                }
                Err(_) => return None,
            };
            let push: Value = serde_json::from_str(&text).unwrap();
            let Some(asked) = push["reply_to"].as_str() else {
                continue;
            };
            let said = if push["type"] == "ack" {
                Ok(push["data"].clone())
            } else {
                Err(push["data"]["code"].as_str().unwrap().to_owned())
            };
            return Some((asked.to_owned(), said));
        }
    }
}

impl Asks for Socket {
    fn ask(&mut self, command: &Value) -> Option<Result<Value, String>> {
        self.asked += 1;
        let (mut command, id) = (command.clone(), self.asked.to_string());
        command["id"] = json!(id);
        self.socket.send(Message::text(command.to_string())).ok()?;
        let (asked, said) = self.answer()?;
        assert_eq!(asked, id, "one answer to one command, in order");
        Some(said)
    }
}

/// A server that is gone hangs up; one that is there and says nothing is a failure.
#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn gone(error: IoError) {
    let silent = [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind());
    assert!(!silent, "nothing came for {PATIENCE:?}");
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}
