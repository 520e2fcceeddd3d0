//! A server whose tokens say what they are good for.

use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;
use throng::Client;
use throng::ErrorCode;
use throng::Gateway;
use throng::GatewayBuilder;
use throng::Hub;
use throng::Layers;
use throng::ManualClock;
use throng::Timestamp;
use throng::UserId;
use throng::channels::Pattern;
use throng::policy::Authenticated;
use throng::policy::Authenticator;
use throng::policy::Carrier;
use throng::policy::Credentials;
use throng::policy::Refusal;
use throng::session::ClientPublish;
use throng::session::Identity;
use throng::session::Permissions;
use throng::session::Right;
use tokio::runtime::Runtime;

use crate::binary::PATIENCE;
use crate::binary::Response;
use crate::binary::Sse;
use crate::binary::Ws;
use crate::binary::request;
use crate::binary::serve;

/// Reads tokens such as `ada sub=news.> pub=news.* exp=1000`, with `~` in place of spaces: a user
/// (`-` for none), rights with their patterns, when it expires in milliseconds from the start,
/// its id, and the channels that it claims. Without a right it has all.
#[derive(Clone)]
pub(super) struct Tokens {
    /// Questions so far.
    pub(super) asked: Arc<AtomicUsize>,
    began: u64,
}

impl Tokens {
    fn read(&self, token: &str) -> Option<Identity> {
        let mut parts = token.split('~');
        let user = parts.next()?;
        let mut identity = match user {
            "-" => Identity::guest(),
            user if !user.chars().all(char::is_alphanumeric) => return None,
            user => Identity::of(UserId::parse(user).ok()?),
        };
        let mut permissions = None;
        for part in parts {
            let (name, value) = part.split_once('=')?;
            let right = match name {
                "sub" => Some(Right::Subscribe),
                "pub" => Some(Right::Publish),
                "read" => Some(Right::Read),
                "rooms" => Some(Right::Rooms),
                "admin" => Some(Right::Admin),
                _ => None,
            };
            if let Some(right) = right {
                let all = permissions.unwrap_or_else(Permissions::none);
                permissions = Some(match value {
                    "" => all,
                    scope if right == Right::Admin => all.allow_scope(scope).ok()?,
                    pattern => all.allow(right, pattern).ok()?,
                });
                continue;
            }
            identity = match name {
                "exp" => {
                    let at = Duration::from_millis(self.began + value.parse::<u64>().ok()?);
                    identity.expires_at(Timestamp::since_unix_epoch(at))
                }
                "id" => identity.token_id(value),
                "claim" if value.contains('*') => identity.pattern(Pattern::parse(value).ok()?),
                "claim" => identity.subscription(value),
                _ => return None,
            };
        }
        Some(match permissions {
            Some(permissions) => identity.permissions(permissions),
            None => identity,
        })
    }
}

impl Authenticator for Tokens {
    fn name(&self) -> &str {
        "tokens"
    }

    fn authenticate(&self, credentials: &Credentials<'_>) -> Authenticated {
        // Relaxed: a count.
        self.asked.fetch_add(1, Ordering::Relaxed);
        let Some(token) = credentials.secret else {
            assert_eq!(credentials.carrier, Carrier::None);
            return Authenticated::Unknown;
        };
        match token {
            "expired" => {
                Authenticated::Refused(Refusal::new(ErrorCode::TokenExpired, "it has expired"))
            }
            "panics" => panic!("this is what is tested"),
            "panics-later" => Authenticated::later(async { panic!("this is what is tested") }),
            "hangs" => Authenticated::later(std::future::pending()),
            token => match self.read(token) {
                Some(identity) if token.contains("later") => {
                    Authenticated::later(async { Authenticated::Is(Box::new(identity)) })
                }
                Some(identity) => Authenticated::Is(Box::new(identity)),
                None => Authenticated::Unknown,
            },
        }
    }
}

/// A server, and the runtime that it runs in.
pub(super) struct World {
    pub(super) address: SocketAddr,
    pub(super) gateway: Gateway,
    pub(super) _runtime: Runtime,
    pub(super) clock: ManualClock,
    pub(super) tokens: Tokens,
}

impl World {
    pub(super) fn new(set_up: impl FnOnce(GatewayBuilder) -> GatewayBuilder) -> Self {
        let clock = ManualClock::new();
        let began = std::time::UNIX_EPOCH.elapsed().unwrap();
        let hub = Hub::builder()
            .clock(clock.clone())
            .authorizer(|_: &throng::AuthRequest| throng::Authorization::deny("no"))
            .build()
            .unwrap();
        let layers = Layers::builder(&hub).build();
        let tokens = Tokens {
            asked: Arc::default(),
            began: u64::try_from(began.as_millis()).unwrap(),
        };
        let builder = Gateway::builder(hub)
            .layers(layers)
            .drain_window(Duration::ZERO)
            .client_publish(ClientPublish::Allow)
            .authenticator(tokens.clone());
        let gateway = set_up(builder).build();
        let (runtime, address) = serve(&gateway);
        Self {
            address,
            gateway,
            _runtime: runtime,
            clock,
            tokens,
        }
    }

    /// A connection that has authenticated with its first message.
    pub(super) fn ws(&self, token: &str) -> Ws {
        let mut ws = self.lobby();
        ws.say(&auth(token));
        ws.greeted()
    }

    /// A connection without credentials.
    pub(super) fn lobby(&self) -> Ws {
        Ws::open(self.address, "/ws")
    }

    /// A stream, and the `connected`.
    pub(super) fn sse(&self, path: &str, token: &str) -> (Sse, Value) {
        let bearer = format!("Bearer {token}");
        let mut stream = Sse::open(self.address, path, &[("authorization", &bearer)]);
        let connected = stream.expect("connected");
        (stream, connected)
    }

    pub(super) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut all = vec![("content-type", "application/json")];
        all.extend(headers);
        request(stream, method, path, &all, body.as_bytes())
    }

    /// A request of the API with this token.
    pub(super) fn api(&self, method: &str, path: &str, token: &str, body: &str) -> Response {
        let bearer = format!("Bearer {token}");
        let path = format!("/api/v1{path}");
        self.request(method, &path, &[("authorization", &bearer)], body)
    }

    /// The connection of this user that came last.
    pub(super) fn client_of(&self, user: &str) -> Client {
        let user = UserId::parse(user).unwrap();
        let layers = self.gateway.layers().unwrap();
        layers.users().clients_of(&user).pop().unwrap()
    }
}

/// The first message.
pub(super) fn auth(token: &str) -> String {
    format!(r#"{{"type":"auth","token":"{token}"}}"#)
}
