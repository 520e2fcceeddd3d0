//! fastwebsockets behind hyper, with an mpsc for each client, as its documentation splits a socket.

mod wire;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use bytes::Bytes;
use fastwebsockets::FragmentCollectorRead;
use fastwebsockets::Frame;
use fastwebsockets::OpCode;
use fastwebsockets::Payload;
use fastwebsockets::WebSocketError;
use fastwebsockets::upgrade;
use fastwebsockets::upgrade::UpgradeFut;
use http_body_util::Empty;
use hyper::Request;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::header::SEC_WEBSOCKET_PROTOCOL;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use self::wire::Command;
use self::wire::Publications;

#[derive(Default)]
struct App {
    clients: Mutex<Vec<mpsc::Sender<Bytes>>>,
    publications: Publications,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = Arc::new(App::default());
    let listener = TcpListener::from_std(wire::listen()?)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let service = service_fn(|request| answer(Arc::clone(&app), request));
            let connection = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades();
            // Clients go as they like.
            drop(connection.await);
        });
    }
}

async fn answer(
    app: Arc<App>,
    mut request: Request<Incoming>,
) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (mut response, upgraded) = upgrade::upgrade(&mut request)?;
    let protocol = HeaderValue::from_static("throng.v1.json");
    response
        .headers_mut()
        .insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    tokio::spawn(async move { drop(serve(&app, upgraded).await) });
    Ok(response)
}

/// Reads and writes in one task; neither half is ever cancelled in the middle of a frame.
async fn serve(app: &App, upgraded: UpgradeFut) -> Result<(), WebSocketError> {
    let (reader, mut writer) = upgraded.await?.split(tokio::io::split);
    let (sender, mut messages) = mpsc::channel::<Bytes>(wire::room());
    let connected = Bytes::from_static(wire::CONNECTED.as_bytes());
    drop(sender.try_send(connected));
    let mut reader = FragmentCollectorRead::new(reader);
    let reading = async {
        loop {
            let no_pong = &mut |_| async { Ok::<(), WebSocketError>(()) };
            let frame = reader.read_frame(no_pong).await?;
            match frame.opcode {
                OpCode::Close => return Ok(()),
                OpCode::Text => {
                    let text = str::from_utf8(&frame.payload).unwrap_or_default();
                    if let ControlFlow::Break(answer) = app.obey(text, &sender) {
                        drop(sender.try_send(answer.into()));
                    }
                }
                _ => {}
            }
        }
    };
    let writing = async {
        while let Some(message) = messages.recv().await {
            let frame = Frame::text(Payload::Borrowed(&message));
            writer.write_frame(frame).await?;
        }
        Ok(())
    };
    tokio::select! {
        read = reading => read,
        written = writing => written,
    }
}

impl App {
    /// Does what a client says; breaks off with what it is to be told.
    fn obey(&self, text: &str, client: &mpsc::Sender<Bytes>) -> ControlFlow<String> {
        match Command::parse(text) {
            Some(Command::Subscribe { id, channel_id }) => {
                let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
                clients.push(client.clone());
                return ControlFlow::Break(wire::joined(&id, channel_id));
            }
            Some(Command::Publish { channel_id, text }) => {
                let message = Bytes::from(self.publications.next(channel_id, text));
                let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
                clients.retain(|client| {
                    let sent = client.try_send(message.clone());
                    !matches!(sent, Err(mpsc::error::TrySendError::Closed(_)))
                });
            }
            None => {}
        }
        ControlFlow::Continue(())
    }
}
