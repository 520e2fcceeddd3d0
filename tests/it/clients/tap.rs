//! A relay between a client and a server, which looks at the frames that pass.

use std::io::Cursor;
use std::io::Read;
use std::io::Write;
use std::net::Shutdown;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::mpsc;
use std::thread;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::Control;
use tungstenite::protocol::frame::coding::OpCode;

use crate::binary::PATIENCE;

/// A relay for one connection.
pub(super) struct Tap {
    pub(super) address: SocketAddr,
    from_client: mpsc::Receiver<FrameHeader>,
    from_server: mpsc::Receiver<FrameHeader>,
}

impl Tap {
    /// Waits for a client of `server`, at an address of its own.
    pub(super) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (client_teller, from_client) = mpsc::channel();
        let (server_teller, from_server) = mpsc::channel();
        thread::spawn(move || {
            let (client, _) = listener.accept().unwrap();
            let server = TcpStream::connect(server).unwrap();
            let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || relay(ends.1, ends.0, &server_teller));
            relay(client, server, &client_teller);
        });
        Self {
            address,
            from_client,
            from_server,
        }
    }

    /// Waits until a pong comes from the client.
    pub(super) fn pong(&self) {
        let pong = OpCode::Control(Control::Pong);
        while self.from_client.recv_timeout(PATIENCE).unwrap().opcode != pong {}
    }

    /// Whether any frame of either side, so far, was marked as compressed: client, server.
    pub(super) fn compressed(&self) -> (bool, bool) {
        let any = |frames: &mpsc::Receiver<FrameHeader>| {
            frames.try_iter().filter(|frame| frame.rsv1).count() > 0
        };
        (any(&self.from_client), any(&self.from_server))
    }
}

/// Carries bytes until the one end or the other has had enough.
fn relay(mut from: TcpStream, mut to: TcpStream, teller: &mpsc::Sender<FrameHeader>) {
    let mut chunk = [0; 16 << 10];
    let mut stream = Vec::new();
    let mut in_frames = false;
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        stream.extend_from_slice(&chunk[..count]);
        if !in_frames && let Some(end) = stream.windows(4).position(|w| w == b"\r\n\r\n") {
            stream.drain(..end + 4);
            in_frames = true;
        }
        while in_frames && let Some(header) = take_frame(&mut stream) {
            // The test may have enough.
            drop(teller.send(header));
        }
        if to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    // The other end may have hung up first.
    drop(to.shutdown(Shutdown::Write));
}

/// Takes the first frame, if all of it is there.
fn take_frame(stream: &mut Vec<u8>) -> Option<FrameHeader> {
    let mut cursor = Cursor::new(&stream[..]);
    let (header, length) = FrameHeader::parse(&mut cursor).unwrap()?;
    let end = usize::try_from(cursor.position() + length).unwrap();
    (end <= stream.len()).then(|| {
        stream.drain(..end);
        header
    })
}
