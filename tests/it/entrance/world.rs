//! A server in this process, with policies of the test's own.

use std::net::SocketAddr;
use std::net::TcpStream;

use hyper::http::request::Parts;
use serde_json::Value;
use throng::Client;
use throng::ConnectOptions;
use throng::Gateway;
use throng::GatewayBuilder;
use throng::Hub;
use throng::Layers;
use throng::UserId;
use throng::session::ClientPublish;
use throng::transport::Unauthenticated;
use throng::transport::memory;
use throng::transport::memory::MemoryPeer;
use tokio::runtime::Runtime;

use crate::binary::Response;
use crate::binary::Sse;
use crate::binary::Ws;
use crate::binary::request;
use crate::binary::serve;

/// A server, and the runtime that it runs in.
pub(super) struct World {
    pub(super) address: SocketAddr,
    pub(super) gateway: Gateway,
    pub(super) runtime: Runtime,
}

impl World {
    /// A server with all layers, whose users are whom they say.
    pub(super) fn new(set_up: impl FnOnce(GatewayBuilder) -> GatewayBuilder) -> Self {
        let hub = Hub::builder()
            .authorizer(|_: &throng::AuthRequest| throng::Authorization::Allow)
            .build()
            .unwrap();
        let layers = Layers::builder(&hub).build();
        let quote = async |_, _: Value| Ok(serde_json::json!({ "cents": 1015 }));
        let builder = Gateway::builder(hub)
            .client_publish(ClientPublish::Allow)
            .layers(layers)
            .authenticate(named)
            .rpc("quote", quote);
        let gateway = set_up(builder).build();
        let (runtime, address) = serve(&gateway);
        Self {
            address,
            gateway,
            runtime,
        }
    }

    pub(super) fn ws(&self, user: &str) -> Ws {
        Ws::open(self.address, &format!("/ws?user={user}")).greeted()
    }

    /// A stream, and the secret by which it is changed.
    pub(super) fn sse(&self, path: &str) -> (Sse, String) {
        let mut stream = Sse::open(self.address, path, &[]);
        let connected = stream.expect("connected");
        let names = ["stream_id", "stream_token", "connection_id"];
        let secret = names
            .iter()
            .find_map(|name| connected["data"][name].as_str());
        (stream, secret.unwrap().to_owned())
    }

    pub(super) fn conn(&self, user: &str) -> Line {
        let (conn, peer) = memory::pair();
        let options = ConnectOptions::new().user(user);
        let _inside = self.runtime.enter();
        let serving = self.gateway.serve_conn(conn, options);
        self.runtime.spawn(serving);
        let mut line = Line {
            peer,
            handle: self.runtime.handle().clone(),
        };
        assert_eq!(line.push()["type"], "connected");
        line
    }

    pub(super) fn request(&self, method: &str, path: &str, body: &str) -> Response {
        let stream = TcpStream::connect(self.address).unwrap();
        let headers = [("content-type", "application/json")];
        request(stream, method, path, &headers, body.as_bytes())
    }

    /// The connection of this user that came last.
    pub(super) fn client_of(&self, user: &str) -> Client {
        let user = UserId::parse(user).unwrap();
        let layers = self.gateway.layers().unwrap();
        layers.users().clients_of(&user).pop().unwrap()
    }

    pub(super) fn post(&self, path: &str, body: &str) -> Response {
        self.request("POST", path, body)
    }
}

/// A peer of a `Conn`.
pub(super) struct Line {
    peer: MemoryPeer,
    handle: tokio::runtime::Handle,
}

impl Line {
    pub(super) fn push(&mut self) -> Value {
        let text = self.handle.block_on(self.peer.recv()).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub(super) fn ask(&mut self, command: &str) -> Value {
        self.say(command);
        self.push()
    }

    /// Sends a command and returns the next push that is a reply.
    pub(super) fn reply(&mut self, command: &str) -> Value {
        self.say(command);
        until_reply(|| self.push())
    }

    pub(super) fn say(&mut self, command: &str) {
        self.handle
            .block_on(self.peer.send(command.to_owned()))
            .unwrap();
    }
}

/// The next push that is a reply.
pub(super) fn until_reply(mut push: impl FnMut() -> Value) -> Value {
    loop {
        let push = push();
        if push["reply_to"] != Value::Null {
            return push;
        }
    }
}

/// Whoever says who it is.
fn named(request: &Parts) -> Result<ConnectOptions, Unauthenticated> {
    let query = request.uri.query().unwrap_or_default();
    let user = query.split('&').find_map(|pair| pair.strip_prefix("user="));
    let options = ConnectOptions::new();
    Ok(match user {
        Some(user) => options.user(user),
        None => options,
    })
}
