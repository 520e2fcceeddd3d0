//! A WebSocket client that reads only when, and as much as, it is told to, or runs in a process of
//! its own.

use std::io::Cursor;
use std::io::ErrorKind;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::Child;
use std::process::ChildStdout;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use socket2::Domain;
use socket2::SockRef;
use socket2::Socket;
use socket2::Type;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::Control;
use tungstenite::protocol::frame::coding::OpCode;

use crate::binary::PATIENCE;

/// A client with nothing between it and its socket.
pub(crate) struct Raw {
    stream: Stream,
    /// What was read, and is no whole frame yet.
    bytes: Vec<u8>,
    pub(crate) id: String,
}

enum Stream {
    Process(Child, ChildStdout),
    Socket(TcpStream),
}

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    Close(u16),
    /// The stream has ended, or was reset.
    End,
    Push(Value),
}

impl Raw {
    /// A client that has been greeted. The kernel keeps about `receive_buffer` bytes for it, when
    /// that is given, and else what it thinks fit.
    pub(crate) fn open(server: SocketAddr, receive_buffer: Option<usize>) -> Self {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        socket.connect(&server.into()).unwrap();
        let mut stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(HANDSHAKE.as_bytes()).unwrap();
        Self::greeted(Stream::Socket(stream))
    }

    /// A client in a process that `launcher` starts, such as `env`: it subscribes, and passes on
    /// what it reads. It ends when it has had nothing to do for long.
    pub(crate) fn process(mut launcher: Command, server: SocketAddr, channel: &str) -> Self {
        let mut bytes = HANDSHAKE.as_bytes().to_vec();
        bytes.extend(masked_text(&subscribe(channel)));
        let octal: String = bytes.iter().map(|byte| format!("\\{byte:03o}")).collect();
        let script = format!(
            "exec 3<>/dev/tcp/{}/{}; printf '{octal}' >&3; exec timeout 120 cat <&3",
            server.ip(),
            server.port()
        );
        let command = launcher.args(["bash", "-c", &script]).process_group(0);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let mut client = Self::greeted(Stream::Process(child, output));
        client.expect("joined");
        client
    }

    fn greeted(stream: Stream) -> Self {
        let mut client = Self {
            stream,
            bytes: Vec::new(),
            id: String::new(),
        };
        let end = loop {
            let end = client.bytes.windows(4).position(|w| w == b"\r\n\r\n");
            if let Some(end) = end {
                break end + 4;
            }
            assert_ne!(client.read(1 << 10), 0, "the server answers");
        };
        assert!(client.bytes.starts_with(b"HTTP/1.1 101 "));
        client.bytes.drain(..end);
        let connected = client.expect("connected");
        let id = connected["data"]["client_id"].as_str().unwrap();
        client.id = id.to_owned();
        client
    }

    /// Subscribes.
    pub(crate) fn join(&mut self, channel: &str) {
        self.say(&subscribe(channel));
        self.expect("joined");
    }

    /// Sends a text.
    pub(crate) fn say(&self, text: &str) {
        self.socket().write_all(&masked_text(text)).unwrap();
    }

    /// Reads once, so many bytes at most; 0 when no more will come.
    pub(crate) fn read(&mut self, most: usize) -> usize {
        let start = self.bytes.len();
        self.bytes.resize(start + most, 0);
        let room = &mut self.bytes[start..];
        let read = match &mut self.stream {
            Stream::Process(_, output) => output.read(room),
            Stream::Socket(socket) => socket.read(room),
        };
        let read = match read {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!("nothing to read: {error}"),
        };
        self.bytes.truncate(start + read);
        read
    }

    /// What comes next, pings and pongs left out.
    pub(crate) fn next(&mut self) -> Came {
        loop {
            match self.take_frame() {
                Some((OpCode::Data(_), text)) => {
                    return Came::Push(serde_json::from_slice(&text).unwrap());
                }
                Some((OpCode::Control(Control::Close), payload)) => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    return Came::Close(code.unwrap_or(1005));
                }
                Some((OpCode::Control(_), _)) => {}
                None if self.read(256 << 10) == 0 => return Came::End,
                None => {}
            }
        }
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&self) {
        self.socket().shutdown(Shutdown::Write).unwrap();
    }

    /// Sends a signal to the process, as `kill` names it.
    pub(crate) fn signal(&self, name: &str) {
        let Stream::Process(child, _) = &self.stream else {
            panic!("a process of its own");
        };
        let group = format!("-{}", child.id());
        let mut kill = Command::new("kill");
        let sent = kill.args(["-s", name, "--", &group]).status();
        assert!(sent.unwrap().success());
    }

    /// Is gone, with a reset.
    pub(crate) fn reset(self) {
        let linger = Some(Duration::ZERO);
        SockRef::from(self.socket()).set_linger(linger).unwrap();
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Process(..) => panic!("a socket of our own"),
            Stream::Socket(socket) => socket,
        }
    }

    /// The next push, which is of this type.
    pub(crate) fn expect(&mut self, kind: &str) -> Value {
        match self.next() {
            Came::Push(push) if push["type"] == kind => push,
            other => panic!("no {kind}, but {other:?}"),
        }
    }

    fn take_frame(&mut self) -> Option<(OpCode, Vec<u8>)> {
        let mut cursor = Cursor::new(&self.bytes[..]);
        let (header, length) = FrameHeader::parse(&mut cursor).unwrap()?;
        let start = usize::try_from(cursor.position()).unwrap();
        let end = start + usize::try_from(length).unwrap();
        let payload = self.bytes.get(start..end)?.to_vec();
        self.bytes.drain(..end);
        Some((header.opcode, payload))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        if let Stream::Process(child, _) = &mut self.stream {
            let group = format!("-{}", child.id());
            let mut kill = Command::new("kill");
            drop(kill.args(["-s", "KILL", "--", &group]).status());
            drop(child.wait());
        }
    }
}

fn subscribe(channel: &str) -> String {
    format!(r#"{{"type":"subscribe","id":1,"channel_id":"{channel}"}}"#)
}

/// A short text in one frame, masked with zeros.
pub(crate) fn masked_text(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81];
    match u16::try_from(text.len()).unwrap() {
        length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
        length => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// Asks for a WebSocket.
pub(crate) const HANDSHAKE: &str = "GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
