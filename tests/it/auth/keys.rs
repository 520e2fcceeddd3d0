//! The keys that the shipped server verifies tokens with: of every algorithm, and from a provider.

use std::fs;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::thread;

use serde_json::Value;
use serde_json::json;
use throng::policy::jwt::Algorithm;
use throng::policy::jwt::SigningKey;

use crate::binary::Throng;
use crate::binary::Ws;

/// Keys and tokens of every algorithm, which another implementation has made.
fn vectors() -> Vec<Value> {
    let path = "src/policy/auth/jwt/tests/vectors.json";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let file: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap()
}

/// The answer to a token that is the first message of a connection.
fn signs_in(throng: &Throng, token: &str) -> (Value, Ws) {
    let mut ws = Ws::open(throng.address, "/ws");
    let told = ws.ask(&json!({"type": "auth", "id": 1, "token": token}).to_string());
    (told, ws)
}

fn is_refused(throng: &Throng, token: &str) {
    let (told, mut ws) = signs_in(throng, token);
    assert_eq!(told["data"]["code"], "token_invalid", "{told}");
    assert_eq!(ws.closed().0, 3500);
}

fn is_ada(throng: &Throng, token: &str) {
    let (told, _ws) = signs_in(throng, token);
    assert_eq!(told["type"], "connected", "{told}");
    assert_eq!(told["data"]["user"], "ada", "{told}");
}

fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{name}"));
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn tokens_of_every_algorithm_sign_in_and_forged_ones_do_not() {
    let vectors = vectors();
    assert_eq!(vectors.len(), Algorithm::ALL.len());
    let path = folder("algorithms").join("jwks.json");
    let jwks: Vec<_> = vectors.iter().map(|vector| vector["jwk"].clone()).collect();
    fs::write(&path, json!({"keys": jwks}).to_string()).unwrap();
    let throng = Throng::start(&[
        "--jwks-file",
        path.to_str().unwrap(),
        "--max-lobby-per-ip",
        "1000",
    ]);
    for vector in &vectors {
        let token = text(vector, "token");
        is_ada(&throng, token);
        // Without its signature, and with the header of an unsigned token.
        let (message, signature) = token.rsplit_once('.').unwrap();
        is_refused(&throng, &format!("{message}."));
        let (_, claims) = message.split_once('.').unwrap();
        is_refused(
            &throng,
            &format!("eyJhbGciOiJub25lIn0.{claims}.{signature}"),
        );
        // The public key, which everyone has, as a secret.
        if let Some(public) = vector["public"].as_str() {
            let forger = SigningKey::secret(Algorithm::Hs256, public.as_bytes()).unwrap();
            let forger = forger.with_id(text(vector, "alg"));
            let claims = json!({"sub": "ada", "exp": 4_102_444_800_u64});
            is_refused(&throng, &forger.sign(&claims).unwrap());
        }
    }
}

/// A provider of keys that counts how often it is asked.
struct Provider {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    fn start(jwks: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let body = jwks.to_string();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                count.fetch_add(1, Ordering::Relaxed);
                let length = body.len();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                stream.write_all((head + &body).as_bytes()).ok();
            }
        });
        Self { address, asked }
    }
}

#[test]
fn a_flood_of_unknown_keys_does_not_reach_the_provider() {
    let vectors = vectors();
    let published: Vec<_> = vectors
        .iter()
        .filter(|vector| vector["secret"].is_null())
        .map(|vector| vector["jwk"].clone())
        .collect();
    let provider = Provider::start(&json!({"keys": published}));
    let url = format!("http://{}/jwks.json", provider.address);
    let throng = Throng::start(&["--jwks-url", &url, "--max-lobby-per-ip", "1000"]);
    let good = vectors
        .iter()
        .find(|vector| vector["alg"] == "ES256")
        .unwrap();
    is_ada(&throng, text(good, "token"));
    for id in 0..100 {
        let forger = SigningKey::secret(Algorithm::Hs256, &[7; 32]).unwrap();
        let forger = forger.with_id(format!("unknown-{id}"));
        let claims = json!({"sub": "ada", "exp": 4_102_444_800_u64});
        is_refused(&throng, &forger.sign(&claims).unwrap());
    }
    is_ada(&throng, text(good, "token"));
    // The second is for a machine on which all of this takes more than 30 s.
    let asked = provider.asked.load(Ordering::Relaxed);
    assert!((1..=2).contains(&asked), "{asked}");
}
