//! A client that reads as much as it is told to, and counts.

use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;

use socket2::Domain;
use socket2::Socket;
use socket2::Type;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::ClientConnection;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::StreamOwned;

use crate::binary::PATIENCE;
#[cfg(feature = "tls")]
use crate::tls::Pair;
#[cfg(feature = "tls")]
use crate::tls::trusting;

/// What the kernel takes for a reader: twice what it is asked for.
pub(super) const BUFFER: usize = 2 * ASKED;

const ASKED: usize = 16 << 10;

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

pub(super) struct Reader {
    stream: Box<dyn Stream>,
    /// The end of what was read: it may be the beginning of what is looked for.
    tail: Vec<u8>,
}

impl Reader {
    pub(super) fn connect(server: SocketAddr) -> Self {
        Self {
            stream: Box::new(tcp(server)),
            tail: Vec::new(),
        }
    }

    #[cfg(feature = "tls")]
    pub(super) fn connect_tls(server: SocketAddr, pair: &Pair) -> Self {
        let name = "localhost".try_into().unwrap();
        let mut connection = ClientConnection::new(trusting(&[pair], &[]), name).unwrap();
        // What was read and not asked for yet is one record at most.
        connection.set_buffer_limit(Some(16 << 10));
        Self {
            stream: Box::new(StreamOwned::new(connection, tcp(server))),
            tail: Vec::new(),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    /// Reads so many bytes.
    pub(super) fn read_about(&mut self, bytes: usize) {
        let mut room = vec![0; bytes];
        let mut read = 0;
        while read < bytes {
            read += self.read(&mut room[read..]);
        }
        self.tail = room;
    }

    /// Reads until this has come; returns how many bytes that took.
    pub(super) fn read_up_to(&mut self, text: &str) -> usize {
        let mut read = 0;
        let mut room = vec![0; 4 << 10];
        loop {
            let found = find(&self.tail, text);
            let done = found.map_or_else(
                || self.tail.len().saturating_sub(text.len()),
                |start| start + text.len(),
            );
            self.tail.drain(..done);
            if found.is_some() {
                return read;
            }
            let some = self.read(&mut room);
            read += some;
            self.tail.extend_from_slice(&room[..some]);
        }
    }

    fn read(&mut self, room: &mut [u8]) -> usize {
        let read = self.stream.read(room).unwrap();
        assert!(read > 0, "the server has hung up");
        read
    }
}

fn find(bytes: &[u8], text: &str) -> Option<usize> {
    let mut windows = bytes.windows(text.len());
    windows.position(|window| window == text.as_bytes())
}

fn tcp(server: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(ASKED).unwrap();
    socket.connect(&server.into()).unwrap();
    socket.set_tcp_nodelay(true).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}
