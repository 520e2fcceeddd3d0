//! One connection that publishes what the pacer says.

use std::io;
use std::sync::Arc;

use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::address::Address;
use super::http;
use super::options::Options;
use super::options::Via;
use super::shared::Shared;
use super::socket::Dial;
use super::socket::Received;
use super::socket::Socket;
use super::socket::closed_with;
use super::socket::write_text;
use super::stamp::MessageHeader;
use super::subscriber::Push;

/// One connection that publishes.
pub(super) struct Publisher {
    connection: Connection,
    shared: Arc<Shared>,
    stamps: mpsc::Receiver<MessageHeader>,
    size: usize,
    text: String,
}

enum Connection {
    Http {
        stream: TcpStream,
        head: String,
    },
    Ws {
        socket: Box<Socket>,
        command: [String; 2],
    },
}

impl Publisher {
    /// Connects; the stamps of what is to be published go into the returned queue.
    pub(super) async fn open(
        options: &Options,
        dial: &Dial,
        shared: Arc<Shared>,
    ) -> io::Result<(Self, mpsc::Sender<MessageHeader>)> {
        let connection = match options.via {
            Via::Http => {
                let stream = dial.connect().await?;
                Connection::Http {
                    stream,
                    head: post_head(options),
                }
            }
            Via::Ws => {
                let socket = Socket::open(dial, &options.url, &options.header).await?;
                let command = publish_command(&options.channel);
                Connection::Ws {
                    socket: Box::new(socket),
                    command,
                }
            }
        };
        let (sender, stamps) = mpsc::channel(AT_ONCE);
        let text = String::with_capacity(options.size);
        Ok((
            Self {
                connection,
                shared,
                stamps,
                size: options.size,
                text,
            },
            sender,
        ))
    }

    /// Publishes until the pacer has no more, or the connection ends.
    pub(super) async fn run(self) {
        let Self {
            connection,
            shared,
            mut stamps,
            size,
            text,
        } = self;
        let mut letters = Letters { size, text };
        let ended = match connection {
            Connection::Http { stream, head } => {
                post(stream, &head, &shared, &mut stamps, &mut letters).await
            }
            Connection::Ws {
                mut socket,
                command,
            } => command_all(&mut socket, &command, &shared, &mut stamps, &mut letters).await,
        };
        if let Err(error) = ended {
            shared.end_publisher(error.to_string());
        }
    }
}

/// Makes the payloads.
struct Letters {
    size: usize,
    text: String,
}

impl Letters {
    fn write(&mut self, stamp: MessageHeader) -> &str {
        stamp.write(self.size, &mut self.text);
        &self.text
    }
}

/// Writes all that is to be published now at once; what the server says to it is read meanwhile.
async fn command_all(
    socket: &mut Socket,
    [before, after]: &[String; 2],
    shared: &Shared,
    stamps: &mut mpsc::Receiver<MessageHeader>,
    letters: &mut Letters,
) -> io::Result<()> {
    let mut due = Vec::new();
    let mut frames = Vec::new();
    let mut command = String::new();
    let mut open = true;
    loop {
        tokio::select! {
            count = stamps.recv_many(&mut due, AT_ONCE), if open => {
                // The pacer has ended; the answers to its last messages are still to come.
                open = count > 0;
                frames.clear();
                for stamp in due.drain(..) {
                    command.clear();
                    command.extend([before, letters.write(stamp), after]);
                    write_text(&command, &mut frames)?;
                }
                socket.send(&frames).await?;
            }
            read = socket.read(|received| refusals(&received, shared)) => {
                read?;
                socket.pong().await?;
            }
        }
    }
}

/// Publishes one message after the other, each after the answer to the one before.
async fn post(
    mut stream: TcpStream,
    head: &str,
    shared: &Shared,
    stamps: &mut mpsc::Receiver<MessageHeader>,
    letters: &mut Letters,
) -> io::Result<()> {
    let mut request = String::new();
    while let Some(stamp) = stamps.recv().await {
        request.clear();
        request.extend([head, letters.write(stamp)]);
        stream.write_all(request.as_bytes()).await?;
        let answer = http::read_answer(&mut stream).await?;
        if !answer
            .status()
            .is_some_and(|status| (200..300).contains(&status))
        {
            shared.refuse(answer.first_line());
        }
    }
    Ok(())
}

/// Counts what the server refused. Commands without an id are answered only then.
fn refusals(received: &Received<'_>, shared: &Shared) {
    match received {
        Received::Close(code) => shared.end_publisher(closed_with(*code)),
        Received::Message(message) => {
            let push = serde_json::from_slice::<Push>(message);
            if push.is_ok_and(|push| push.kind == "error") {
                shared.refuse(&String::from_utf8_lossy(message));
            }
        }
    }
}

/// A publish command, cut where its text belongs.
fn publish_command(channel: &str) -> [String; 2] {
    let channel = json!(channel);
    let before = format!(r#"{{"type":"publish","channel_id":{channel},"text":""#);
    [before, r#""}"#.to_owned()]
}

fn post_head(options: &Options) -> String {
    let Address {
        authority, path, ..
    } = match &options.post {
        Some(post) => post.clone(),
        None => Address {
            path: format!("/api/v1/channels/{}/publish", in_path(&options.channel)),
            ..options.url.clone()
        },
    };
    let headers: String = options
        .header
        .iter()
        .map(|header| format!("{header}\r\n"))
        .collect();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: text/plain\r\n\
         Content-Length: {}\r\n{headers}\r\n",
        options.size
    )
}

/// The name as one segment of a path.
pub(super) fn in_path(channel: &str) -> String {
    let escape = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    channel.bytes().map(escape).collect()
}

/// Messages that are written together at most.
const AT_ONCE: usize = 256;
