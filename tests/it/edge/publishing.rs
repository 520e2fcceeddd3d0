//! Who may publish: on loopback every client, elsewhere by permission.

use std::future;
use std::net::SocketAddr;
use std::net::TcpStream;

use serde_json::Value;
use serde_json::json;
use throng::Gateway;
use throng::Hub;
use throng::UserId;
use throng::policy::Authenticated;
use throng::policy::Authenticator;
use throng::policy::Credentials;
use throng::session::ClientPublish;
use throng::session::Identity;
use throng::session::Permissions;
use throng::session::Right;
use tokio::runtime::Runtime;
use tungstenite::Message;
use tungstenite::client::IntoClientRequest;

use crate::binary::Throng;
use crate::binary::listen;

fn published(throng: &Throng) -> Value {
    throng
        .ws()
        .ask(r#"{"id":1,"type":"publish","channel_id":"feed","data":1}"#)
}

#[test]
fn t13_elsewhere_no_anonymous_client_publishes_unless_told_so() {
    let open = "0.0.0.0:0";
    for (throng, code) in [
        (Throng::start(&[]), None),
        (
            Throng::start(&["--client-publish", "refuse"]),
            Some("forbidden"),
        ),
        (Throng::start_at(open, &["--insecure"]), Some("forbidden")),
        (
            Throng::start_at(open, &["--insecure", "--client-publish", "allow"]),
            None,
        ),
    ] {
        let answer = published(&throng);
        let found = answer["data"]["code"].as_str();
        assert_eq!(found, code, "{answer}");
    }
}

#[test]
fn t13_clients_of_a_gateway_do_not_publish_by_default() {
    let (address, _runtime) = serve(ClientPublish::default());
    let refused = publish(address, "writer", "news");
    assert_eq!(refused["data"]["code"], "forbidden", "{refused}");
}

#[test]
fn t13_by_permission_clients_publish_where_their_token_says_so() {
    let (address, _runtime) = serve(ClientPublish::Permitted);
    assert_eq!(publish(address, "writer", "news")["type"], "ack");
    for (token, channel) in [("writer", "feed"), ("reader", "news")] {
        let refused = publish(address, token, channel);
        assert_eq!(refused["type"], "error", "{token} {channel} {refused}");
    }
}

/// A token is the name of a user: `writer` has permissions of its own, others have none.
struct Names;

impl Authenticator for Names {
    fn name(&self) -> &str {
        "names"
    }

    fn authenticate(&self, credentials: &Credentials<'_>) -> Authenticated {
        let Some(name) = credentials.secret else {
            return Authenticated::Unknown;
        };
        let identity = Identity::of(UserId::parse(name).unwrap());
        let own = Permissions::none().allow(Right::Publish, "news").unwrap();
        Authenticated::Is(Box::new(match name {
            "writer" => identity.permissions(own),
            _ => identity,
        }))
    }
}

fn serve(publishes: ClientPublish) -> (SocketAddr, Runtime) {
    let gateway = Gateway::builder(Hub::new())
        .authenticator(Names)
        .client_publish(publishes)
        .build();
    let runtime = Runtime::new().unwrap();
    let (listener, address) = listen(&runtime);
    runtime.spawn(throng::serve(listener, gateway, future::pending()));
    (address, runtime)
}

/// The answer to a publish of the user that this token is of.
fn publish(address: SocketAddr, token: &str, channel: &str) -> Value {
    let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let stream = TcpStream::connect(address).unwrap();
    let (mut socket, _) = tungstenite::client(request, stream).unwrap();
    let command = json!({"id": 1, "type": "publish", "channel_id": channel, "data": 1});
    socket.send(Message::text(command.to_string())).unwrap();
    loop {
        let Message::Text(text) = socket.read().unwrap() else {
            continue;
        };
        let push: Value = serde_json::from_str(&text).unwrap();
        if push["reply_to"] == 1 {
            return push;
        }
    }
}
