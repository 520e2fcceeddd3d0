//! The example of signed tokens holds over a real socket.

#[expect(dead_code, reason = "its `main` is for the one port that it names")]
#[path = "../../examples/jwt.rs"]
mod jwt;

use std::future;
use std::net::SocketAddr;

use tokio::runtime::Runtime;

use crate::binary::Ws;
use crate::binary::listen;

const PUBLISH: &str = r#"{"id":1,"type":"publish","channel_id":"news.today","data":"rain"}"#;

fn open(address: SocketAddr, token: &str) -> Result<Ws, u16> {
    let bearer = format!("Bearer {token}");
    Ws::open_with(address, "/ws", &[("authorization", &bearer)])
}

#[test]
fn a_moderator_publishes_and_the_others_listen() {
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    runtime.spawn(async { jwt::serve(listener, future::pending()).await.unwrap() });
    let ada = jwt::token("ada", true).unwrap();
    let bob = jwt::token("bob", false).unwrap();
    let mut listener = open(address, &bob).unwrap().greeted();
    listener.join("news.today");
    let refused = listener.ask(PUBLISH);
    assert_eq!(refused["data"]["code"], "insufficient_scope", "{refused}");
    let mut moderator = open(address, &ada).unwrap().greeted();
    assert_eq!(moderator.ask(PUBLISH)["type"], "ack");
    assert_eq!(listener.expect("message")["data"], "rain");
    // The claims of one token, the signature of another.
    let (claims, _) = ada.rsplit_once('.').unwrap();
    let (_, signature) = bob.rsplit_once('.').unwrap();
    let forged = open(address, &format!("{claims}.{signature}"));
    assert_eq!(forged.err(), Some(401));
}
