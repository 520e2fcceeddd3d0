//! The shipped server with `--jwt-secret-file` and `--api-key-file`:
//!
//! - Without credentials every route is 401, but for those that are named as open, and every
//!   command in the lobby is an error and closes.
//! - Every carrier is read; guests and cookies only as its flags say.

use std::fs;
use std::path::PathBuf;
use std::time::UNIX_EPOCH;

use serde_json::Value;
use serde_json::json;
use throng::policy::ApiKey;
use throng::policy::ApiKeyFile;
use throng::policy::jwt::Algorithm;
use throng::policy::jwt::SigningKey;

use crate::binary::Response;
use crate::binary::Throng;
use crate::binary::Ws;
use crate::entrance::rows;

const SECRET: &[u8] = b"at least thirty-two bytes of secret";

/// A folder with the secret and an API key, removed in the end.
pub(crate) struct Keys {
    folder: PathBuf,
    api_key: String,
}

impl Keys {
    pub(crate) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("throng-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("secret"), SECRET).unwrap();
        let made = ApiKey::generate("tests").unwrap();
        let key = ["publish", "stats", "auth.revoke"]
            .iter()
            .fold(made.key, |key, scope| key.scope(scope).unwrap());
        let path = folder.join("keys");
        fs::write(&path, "").unwrap();
        let mut file = ApiKeyFile::open(&path).unwrap();
        file.insert(key).unwrap();
        file.save().unwrap();
        Self {
            folder,
            api_key: made.secret,
        }
    }

    pub(crate) fn serve(&self, more: &[&str]) -> Throng {
        let path = |name: &str| self.folder.join(name).to_str().unwrap().to_owned();
        let (secret, keys) = (path("secret"), path("keys"));
        let mut arguments = vec!["--jwt-secret-file", &*secret, "--api-key-file", &*keys];
        arguments.extend(more);
        Throng::start(&arguments)
    }
}

impl Keys {
    /// Posts to the API with the key.
    pub(crate) fn api(&self, throng: &Throng, path: &str, body: &Value) -> Response {
        let headers = [
            ("x-api-key", &*self.api_key),
            ("content-type", "application/json"),
        ];
        throng.request("POST", path, &headers, body.to_string().as_bytes())
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

pub(crate) fn sign(mut claims: Value) -> String {
    let now = UNIX_EPOCH.elapsed().unwrap().as_secs();
    let expires = claims["exp"].as_u64().unwrap_or(3600);
    claims["exp"] = json!(now + expires);
    claims["iat"] = json!(now);
    let key = SigningKey::secret(Algorithm::Hs256, SECRET).unwrap();
    key.sign(&claims).unwrap()
}

#[test]
fn every_route_is_401_without_credentials() {
    let keys = Keys::new("routes");
    let throng = keys.serve(&[]);
    let mut routes: Vec<_> = rows::all()
        .into_iter()
        .filter_map(|row| row.route)
        .collect();
    assert!(routes.len() > 110, "{} routes", routes.len());
    for (method, path) in [
        ("GET", "/sse"),
        ("POST", "/sse/x/subscribe"),
        ("POST", "/sse/x/unsubscribe"),
        ("GET", "/asyncapi.json"),
        ("GET", "/api/v1/asyncapi.json"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/api/v1/no/such/thing"),
    ] {
        routes.push((method.to_owned(), path.to_owned()));
    }
    let headers = [("content-type", "application/json")];
    for (method, path) in routes {
        let path = path.replace(['{', '}'], "");
        let response = throng.request(&method, &path, &headers, b"{}");
        let problem = response.problem();
        assert_eq!(
            problem,
            (401, "unauthenticated".to_owned()),
            "{method} {path}"
        );
        assert!(
            response.header("www-authenticate").is_some(),
            "{method} {path}"
        );
    }
    for path in ["/", "/healthz", "/live", "/ready"] {
        assert_eq!(throng.get(path).status, 200, "{path}");
    }
}

#[test]
fn every_command_in_the_lobby_is_an_error_and_closes() {
    let keys = Keys::new("lobby");
    let throng = keys.serve(&["--max-lobby-per-ip", "1000"]);
    let names = rows::all().into_iter().map(|row| row.name);
    for name in names.chain(["no.such".to_owned(), "nonsense".to_owned()]) {
        let mut ws = Ws::open(throng.address, "/ws");
        // One of them takes a token, and this is none.
        let command = json!({"id": 1, "type": name, "token": "x"}).to_string();
        let told = ws.ask(&command);
        assert_eq!(told["type"], "error", "{name}: {told}");
        assert_eq!(ws.closed().0, 3500, "{name}");
    }
}

#[test]
fn every_carrier_is_read() {
    let keys = Keys::new("carriers");
    let throng = keys.serve(&["--token-in-query", "--auth-cookie", "throng_token"]);
    let token = sign(json!({"sub": "ada"}));
    let bearer = format!("Bearer {token}");
    let offer = format!("throng.v1.json, throng.bearer.{token}");
    let cookie = format!("throng_token={token}");
    let origin = format!("http://{}", throng.address);
    let query = format!("/ws?token={token}");
    let api = [("authorization", &*bearer)];
    let ticket = throng.request("POST", "/api/v1/tickets", &api, b"").json();
    let ticket = format!("/ws?ticket={}", ticket["ticket"].as_str().unwrap());
    for (path, headers) in [
        ("/ws", &[("authorization", &*bearer)][..]),
        ("/ws", &[("x-api-key", &*token)]),
        ("/ws", &[("sec-websocket-protocol", &*offer)]),
        ("/ws", &[("cookie", &*cookie), ("origin", &*origin)]),
        (&query, &[]),
        (&ticket, &[]),
    ] {
        let ws = Ws::open_with(throng.address, path, headers)
            .unwrap()
            .greeted();
        assert_eq!(ws.greeting()["user"], "ada", "{path} {headers:?}");
        assert!(ws.greeting()["expires_in_ms"].as_u64().unwrap() > 3_000_000);
    }
    let mut ws = Ws::open(throng.address, "/ws");
    ws.say(&json!({"type": "auth", "token": token}).to_string());
    assert_eq!(ws.greeted().greeting()["user"], "ada");
    let (_, connected) = throng.sse_with("/sse", &api);
    assert_eq!(connected["data"]["user"], "ada");

    let key = [
        ("x-api-key", &*keys.api_key),
        ("content-type", "application/json"),
    ];
    let publish = "/api/v1/channels/a/publish";
    assert_eq!(
        throng
            .request("POST", publish, &key, br#"{"data":1}"#)
            .status,
        200
    );
    assert_eq!(
        throng.request("GET", "/api/v1/stats", &key, b"").status,
        200
    );
    let refused = throng.request("GET", "/api/v1/channels", &key, b"");
    assert_eq!(refused.problem(), (403, "insufficient_scope".to_owned()));
}

#[test]
fn guests_and_private_channels_are_as_the_flags_say() {
    let keys = Keys::new("guests");
    let throng = keys.serve(&[
        "--guest-permissions",
        "sub=news.>",
        "--private-channel",
        "user.{user}.>",
    ]);
    let mut guest = throng.ws();
    guest.join("news.today");
    let refused = guest.ask(r#"{"id":1,"type":"subscribe","channel_id":"other"}"#);
    assert_eq!(refused["data"]["code"], "insufficient_scope", "{refused}");
    let open = |user: &str| {
        let bearer = format!("Bearer {}", sign(json!({"sub": user})));
        let headers = [("authorization", &*bearer)];
        Ws::open_with(throng.address, "/ws", &headers)
            .unwrap()
            .greeted()
    };
    let (mut ada, mut bob) = (open("ada"), open("bob"));
    ada.join("user.ada.inbox");
    let refused = bob.ask(r#"{"id":1,"type":"subscribe","channel_id":"user.ada.inbox"}"#);
    assert_eq!(refused["data"]["code"], "unauthorized", "{refused}");
    let key = [
        ("x-api-key", &*keys.api_key),
        ("content-type", "application/json"),
    ];
    let body = r#"{"data":"for her"}"#;
    let path = "/api/v1/channels/user.ada.inbox/publish";
    assert_eq!(
        throng.request("POST", path, &key, body.as_bytes()).status,
        200
    );
    assert_eq!(ada.expect("message")["data"], "for her");
}

#[test]
fn a_revocation_survives_a_restart_and_keys_are_read_again() {
    let keys = Keys::new("again");
    let data = keys.folder.join("data");
    let data = data.to_str().unwrap();
    let token = sign(json!({"sub": "ada", "jti": "one"}));
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", &*bearer)];
    let mut throng = keys.serve(&["--data", data]);
    let mut ws = Ws::open_with(throng.address, "/ws", &headers)
        .unwrap()
        .greeted();
    let key = [
        ("x-api-key", &*keys.api_key),
        ("content-type", "application/json"),
    ];
    let revoke = br#"{"token_id":"one"}"#;
    assert_eq!(
        throng
            .request("POST", "/api/v1/auth/revoke", &key, revoke)
            .status,
        204
    );
    assert_eq!(ws.closed().0, 3510);
    throng.signal("TERM");
    assert!(throng.wait().success());
    let throng = keys.serve(&["--data", data]);
    assert_eq!(
        Ws::open_with(throng.address, "/ws", &headers).err(),
        Some(401)
    );

    let other = b"another secret that is long enough, too";
    fs::write(keys.folder.join("secret"), other).unwrap();
    throng.signal("HUP");
    let signer = SigningKey::secret(Algorithm::Hs256, other).unwrap();
    let exp = UNIX_EPOCH.elapsed().unwrap().as_secs() + 3600;
    let bearer = format!(
        "Bearer {}",
        signer.sign(&json!({"sub": "bob", "exp": exp})).unwrap()
    );
    let headers = [("authorization", &*bearer)];
    crate::support::eventually("the new secret is in force", || {
        Ws::open_with(throng.address, "/ws", &headers).is_ok()
    });
}
