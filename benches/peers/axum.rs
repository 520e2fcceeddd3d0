//! axum's `ws` and a `tokio::sync::broadcast`: what its chat example shows, in one task for each
//! client. With a small read buffer, unless an argument is `defaults`.

mod settings;
mod wire;

use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::extract::WebSocketUpgrade;
use axum::extract::ws::Message;
use axum::extract::ws::Utf8Bytes;
use axum::extract::ws::WebSocket;
use axum::response::Response;
use axum::routing::any;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use self::wire::Command;
use self::wire::Publications;

struct App {
    messages: broadcast::Sender<Utf8Bytes>,
    publications: Publications,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let app = Arc::new(App {
        messages: broadcast::Sender::new(wire::room()),
        publications: Publications::default(),
    });
    let routes = Router::new().route("/ws", any(upgrade)).with_state(app);
    let listener = TcpListener::from_std(wire::listen()?)?
        .tap_io(|stream| stream.set_nodelay(true).expect("a socket"));
    axum::serve(listener, routes).await
}

async fn upgrade(State(app): State<Arc<App>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols(["throng.v1.json"])
        .read_buffer_size(settings::read_buffer())
        .on_upgrade(|socket| serve(app, socket))
}

async fn serve(app: Arc<App>, mut socket: WebSocket) {
    let mut subscription: Option<broadcast::Receiver<Utf8Bytes>> = None;
    let mut open = socket.send(Message::text(wire::CONNECTED)).await;
    while open.is_ok() {
        let next = async {
            match &mut subscription {
                Some(messages) => messages.recv().await,
                None => std::future::pending().await,
            }
        };
        open = tokio::select! {
            message = next => match message {
                Ok(text) => socket.send(Message::Text(text)).await,
                Err(RecvError::Lagged(_)) => Ok(()),
                Err(RecvError::Closed) => return,
            },
            received = socket.recv() => match received {
                Some(Ok(Message::Text(text))) => {
                    match obey(&app, &text, &mut subscription) {
                        ControlFlow::Break(answer) => socket.send(Message::text(answer)).await,
                        ControlFlow::Continue(()) => Ok(()),
                    }
                }
                Some(Ok(_)) => Ok(()),
                Some(Err(_)) | None => return,
            },
        };
    }
}

/// Does what a client says; breaks off with what it is to be told.
fn obey(
    app: &App,
    text: &str,
    subscription: &mut Option<broadcast::Receiver<Utf8Bytes>>,
) -> ControlFlow<String> {
    match Command::parse(text) {
        Some(Command::Subscribe { id, channel_id }) => {
            *subscription = Some(app.messages.subscribe());
            return ControlFlow::Break(wire::joined(&id, channel_id));
        }
        Some(Command::Publish { channel_id, text }) => {
            let message = app.publications.next(channel_id, text);
            // Refused when there is no subscriber.
            drop(app.messages.send(message.into()));
        }
        None => {}
    }
    ControlFlow::Continue(())
}
