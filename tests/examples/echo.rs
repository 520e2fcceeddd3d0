//! An echo server: a dialect of its own over throng's WebSocket.
//!
//! Try it with `websocat --protocol echo ws://localhost:3000/ws`.

use std::io;

use throng::Gateway;
use throng::Hub;
use throng::Message;
use throng::protocol::Dialect;
use throng::protocol::Heard;
use throng::protocol::Push;
use throng::protocol::Said;
use tokio::net::TcpListener;

struct Echo;

impl Dialect for Echo {
    fn subprotocols(&self) -> &'static [&'static str] {
        &["echo"]
    }

    fn hear(&self, message: Message) -> Heard {
        Heard::Answered(message)
    }

    fn say(&self, _: Push<'_>) -> Said {
        Said::Nothing
    }
}

pub(crate) async fn serve(listener: TcpListener, told: impl Future<Output = ()>) {
    let gateway = Gateway::builder(Hub::new()).dialect(&Echo).build();
    throng::serve(listener, gateway, told).await;
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    serve(listener, async { drop(tokio::signal::ctrl_c().await) }).await;
    Ok(())
}
