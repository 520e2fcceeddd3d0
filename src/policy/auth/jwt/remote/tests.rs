//! Keys from a server that counts how often it is asked, on a manual clock.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use hyper::HeaderMap;
use hyper::header::CACHE_CONTROL;
use parking_lot::Mutex;
use serde_json::json;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;

use crate::code::ErrorCode;
use crate::time::ManualClock;

use super::super::super::Authenticated;
use super::super::super::Authenticator;
use super::super::super::Carrier;
use super::super::super::Credentials;
use super::super::Algorithm;
use super::super::Jwt;
use super::super::Keys;
use super::super::SigningKey;
use super::InvalidUrl;
use super::JwksUrl;
use super::fetch;

/// A provider of keys.
struct Provider {
    port: u16,
    state: Arc<Answers>,
}

struct Answers {
    /// The whole response.
    response: Mutex<Vec<u8>>,
    asked: AtomicUsize,
    /// An answer takes a permit.
    permits: Semaphore,
}

impl Provider {
    async fn start(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Answers {
            response: Mutex::default(),
            asked: AtomicUsize::new(0),
            permits: Semaphore::new(1 << 20),
        });
        let answers = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answers = Arc::clone(&answers);
                match &tls {
                    None => drop(tokio::spawn(async move { answers.answer(stream).await })),
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            answers.answer(stream).await;
                        }
                    }
                }
            }
        });
        Self { port, state }
    }

    fn answers(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n");
        *self.state.response.lock() = format!("{head}{body}").into_bytes();
    }

    fn has(&self, keys: &[&SigningKey]) {
        self.answers("200 OK", "Cache-Control: max-age=600\r\n", &set(keys));
    }

    fn asked(&self) -> usize {
        self.state.asked.load(Ordering::Relaxed)
    }

    fn jwt(&self, clock: &ManualClock) -> Jwt {
        let url = format!("http://127.0.0.1:{}/jwks.json?secret=s3cret", self.port);
        let url = JwksUrl::parse(&url).unwrap().clock(clock.clone());
        Jwt::keys(Keys::from_url(url.timeout(Duration::from_secs(20))).unwrap())
    }
}

impl Answers {
    async fn answer(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
        }
        assert!(request.starts_with(b"GET /jwks.json?secret=s3cret HTTP/1.1\r\n"));
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.permits.acquire().await.unwrap().forget();
        let response = self.response.lock().clone();
        // The client may have hung up.
        stream.write_all(&response).await.ok();
        stream.shutdown().await.ok();
    }
}

/// The key sets of the tests have Ed25519 keys.
fn set(keys: &[&SigningKey]) -> String {
    let jwk = |key: &&SigningKey| {
        let public = key.verifying_key().unwrap();
        json!({"kty": "OKP", "crv": "Ed25519", "kid": public.id(), "x": public.x()})
    };
    json!({"keys": keys.iter().map(jwk).collect::<Vec<_>>()}).to_string()
}

fn key(id: &str) -> SigningKey {
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let pem = pair.serialize_pem();
    SigningKey::pem(Algorithm::EdDsa, pem.as_bytes())
        .unwrap()
        .with_id(id)
}

fn token(key: &SigningKey) -> String {
    key.sign(&json!({"sub": "ada", "exp": 4_102_444_800_u64}))
        .unwrap()
}

async fn decided(jwt: &Jwt, token: &str) -> Result<(), (ErrorCode, String)> {
    let shown = Credentials {
        carrier: Carrier::Header,
        secret: Some(token),
        request: None,
        address: None,
    };
    let decided = match jwt.authenticate(&shown) {
        Authenticated::Later(later) => later.await,
        now => now,
    };
    match decided {
        Authenticated::Is(_) => Ok(()),
        Authenticated::Refused(refusal) => Err((refusal.code(), refusal.reason().to_owned())),
        other => panic!("{other:?}"),
    }
}

/// The code of a refusal.
async fn code(jwt: &Jwt, token: &str) -> ErrorCode {
    decided(jwt, token).await.unwrap_err().0
}

#[tokio::test]
async fn keys_are_fetched_once_for_all_who_wait() {
    let (provider, clock) = (Provider::start(None).await, ManualClock::new());
    let (jwt, one) = (provider.jwt(&clock), key("1"));
    provider.has(&[&one]);
    let token = token(&one);
    let all = join_all((0..100).map(|_| decided(&jwt, &token))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(provider.asked(), 1);
    assert!(decided(&jwt, &token).await.is_ok());
    assert_eq!(provider.asked(), 1);
}

#[tokio::test]
async fn unknown_ids_cause_one_fetch_in_30_seconds_and_drive_out_no_key() {
    let (provider, clock) = (Provider::start(None).await, ManualClock::new());
    let (jwt, one) = (provider.jwt(&clock), key("1"));
    provider.has(&[&one]);
    let good = token(&one);
    assert!(decided(&jwt, &good).await.is_ok());
    let flood = |from: usize| {
        let jwt = &jwt;
        async move {
            for id in from..from + 1500 {
                let forged = token(&key_with_id(id));
                assert_eq!(code(jwt, &forged).await, ErrorCode::TokenInvalid);
            }
        }
    };
    flood(0).await;
    assert_eq!(provider.asked(), 1, "the keys were fetched within 30 s");
    for (round, expected) in [(1, 2), (2, 3), (3, 4)] {
        clock.advance(Duration::from_secs(30));
        flood(round * 10_000).await;
        assert_eq!(provider.asked(), expected);
        assert!(decided(&jwt, &good).await.is_ok());
    }
}

/// A key that is not published; a secret, because a pair takes time.
fn key_with_id(id: usize) -> SigningKey {
    let secret = [7; 32];
    SigningKey::secret(Algorithm::Hs256, &secret)
        .unwrap()
        .with_id(id.to_string())
}

#[tokio::test]
async fn an_id_that_no_key_has_is_not_asked_for_again_within_a_minute() {
    let (provider, clock) = (Provider::start(None).await, ManualClock::new());
    let (jwt, one) = (provider.jwt(&clock), key("1"));
    provider.has(&[&one]);
    let forged = token(&key_with_id(7));
    assert_eq!(code(&jwt, &forged).await, ErrorCode::TokenInvalid);
    assert_eq!(provider.asked(), 1);
    for (seconds, asked) in [(31, 1), (28, 1), (2, 2)] {
        clock.advance(Duration::from_secs(seconds));
        assert_eq!(code(&jwt, &forged).await, ErrorCode::TokenInvalid);
        assert_eq!(provider.asked(), asked, "{seconds}");
    }
}

#[tokio::test]
async fn a_new_key_is_found_before_the_old_ones_are_too_old() {
    let (provider, clock) = (Provider::start(None).await, ManualClock::new());
    let (jwt, one, two) = (provider.jwt(&clock), key("1"), key("2"));
    provider.has(&[&one]);
    assert!(decided(&jwt, &token(&one)).await.is_ok());
    provider.has(&[&one, &two]);
    assert_eq!(code(&jwt, &token(&two)).await, ErrorCode::TokenInvalid);
    clock.advance(Duration::from_secs(30));
    assert!(decided(&jwt, &token(&two)).await.is_ok());
    assert!(decided(&jwt, &token(&one)).await.is_ok());
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn a_key_that_is_no_longer_published_ends_with_its_time() {
    let (provider, clock) = (Provider::start(None).await, ManualClock::new());
    let (jwt, one, two) = (provider.jwt(&clock), key("1"), key("2"));
    provider.has(&[&one]);
    assert!(decided(&jwt, &token(&one)).await.is_ok());
    provider.has(&[&two]);
    clock.advance(Duration::from_secs(599));
    assert!(decided(&jwt, &token(&one)).await.is_ok());
    clock.advance(Duration::from_secs(1));
    assert_eq!(code(&jwt, &token(&one)).await, ErrorCode::TokenInvalid);
    assert_eq!(provider.asked(), 2);
}

#[tokio::test]
async fn old_keys_serve_for_a_day_while_the_provider_fails() {
    let (provider, clock) = (Provider::start(None).await, ManualClock::new());
    let (jwt, one) = (provider.jwt(&clock), key("1"));
    provider.has(&[&one]);
    let good = token(&one);
    assert!(decided(&jwt, &good).await.is_ok());
    provider.answers("500 Oh no", "", "");
    clock.advance(Duration::from_secs(600));
    for _ in 0..5 {
        assert!(decided(&jwt, &good).await.is_ok());
    }
    assert_eq!(provider.asked(), 2, "a pause after a failure");
    clock.advance(Duration::from_secs(10));
    assert!(decided(&jwt, &good).await.is_ok());
    assert_eq!(provider.asked(), 3);
    clock.advance(Duration::from_secs(24 * 3600 - 11));
    assert!(decided(&jwt, &good).await.is_ok());
    clock.advance(Duration::from_secs(1));
    assert_eq!(code(&jwt, &good).await, ErrorCode::AuthUnavailable);
    provider.has(&[&one]);
    clock.advance(Duration::from_secs(10));
    assert!(decided(&jwt, &good).await.is_ok());
}

#[tokio::test]
async fn answers_that_are_no_keys_are_refused() {
    let one = key("1");
    let many: Vec<_> = (0..65).map(|id| key(&id.to_string())).collect();
    let many: Vec<_> = many.iter().collect();
    let large = format!("{{\"keys\": [{}]}}", " ".repeat(1 << 20));
    let published_secret = json!({"keys": [
        {"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "kid": "1"},
    ]});
    for (status, headers, body, expected) in [
        ("404 Not Found", "", set(&[&one]), "status 404"),
        (
            "302 Found",
            "Location: /other\r\n",
            String::new(),
            "status 302",
        ),
        ("200 OK", "", "<html>".to_owned(), "not a JSON Web Key Set"),
        ("200 OK", "", large, "more than 1048576 bytes"),
        ("200 OK", "", set(&many), "more than 64 keys"),
        ("200 OK", "", published_secret.to_string(), "no key"),
    ] {
        let (provider, clock) = (Provider::start(None).await, ManualClock::new());
        provider.answers(status, headers, &body);
        let jwt = provider.jwt(&clock);
        assert_eq!(code(&jwt, &token(&one)).await, ErrorCode::AuthUnavailable);
        let keys = provider.jwt(&clock).keys;
        let error = keys.refresh().await.unwrap_err().to_string();
        assert!(error.contains(expected), "{status}: {error}");
    }
}

#[tokio::test]
async fn a_silent_provider_is_given_up_and_those_who_leave_cause_no_second_fetch() {
    let (provider, clock) = (Provider::start(None).await, ManualClock::new());
    let one = key("1");
    provider.has(&[&one]);
    provider.state.permits.forget_permits(1 << 20);
    let jwt = provider.jwt(&clock);
    let good = token(&one);
    for _ in 0..10 {
        // One who gives up before the answer has come.
        let gave_up = tokio::time::timeout(Duration::from_millis(1), decided(&jwt, &good)).await;
        assert!(gave_up.is_err());
    }
    provider.state.permits.add_permits(1);
    assert!(decided(&jwt, &good).await.is_ok());
    assert_eq!(provider.asked(), 1);

    let url = format!("http://localhost:{}/jwks.json?secret=s3cret", provider.port);
    let url = JwksUrl::parse(&url)
        .unwrap()
        .timeout(Duration::from_millis(1));
    let error = Keys::from_url(url).unwrap().refresh().await.unwrap_err();
    assert_eq!(error.to_string(), "no answer within 1 ms");
}

#[tokio::test]
async fn keys_come_over_tls_from_those_who_are_trusted() {
    let names = vec!["localhost".to_owned()];
    let certified = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = certified.cert.pem();
    let chain = vec![certified.cert.der().clone()];
    let private = certified.signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .unwrap();
    let provider = Provider::start(Some(TlsAcceptor::from(Arc::new(config)))).await;
    let one = key("1");
    provider.has(&[&one]);
    let url = format!(
        "https://localhost:{}/jwks.json?secret=s3cret",
        provider.port
    );
    let url = JwksUrl::parse(&url).unwrap();
    let trusting = url
        .clone()
        .root_certificates(certificate.as_bytes())
        .unwrap();
    let jwt = Jwt::keys(Keys::from_url(trusting).unwrap());
    assert!(decided(&jwt, &token(&one)).await.is_ok());
    let strict = Jwt::keys(Keys::from_url(url.clone()).unwrap());
    assert_eq!(
        code(&strict, &token(&one)).await,
        ErrorCode::AuthUnavailable
    );
    let none = url.root_certificates(b"no certificate");
    assert_eq!(none.unwrap_err(), InvalidUrl::Certificates);
}

#[test]
fn urls_are_https_or_loopback() {
    for (url, expected) in [
        ("https://id.example/keys", None),
        ("https://[2001:db8::1]:8443/keys", None),
        ("http://127.0.0.1:80/keys", None),
        ("http://[::1]/keys", None),
        ("http://localhost/keys", None),
        ("http://id.example/keys", Some(InvalidUrl::NotEncrypted)),
        (
            "http://localhost.example/keys",
            Some(InvalidUrl::NotEncrypted),
        ),
        ("http://10.0.0.1/keys", Some(InvalidUrl::NotEncrypted)),
        (
            "https://user:word@id.example/keys",
            Some(InvalidUrl::Credentials),
        ),
        ("file:///etc/passwd", Some(InvalidUrl::Malformed)),
        ("ftp://id.example/keys", Some(InvalidUrl::Malformed)),
        ("/keys", Some(InvalidUrl::Malformed)),
        ("", Some(InvalidUrl::Malformed)),
    ] {
        assert_eq!(JwksUrl::parse(url).err(), expected, "{url}");
    }
    let url = JwksUrl::parse("https://id.example:99/keys?code=s3cret").unwrap();
    assert_eq!(url.to_string(), "https://id.example:99/keys");
    assert!(!format!("{url:?}").contains("s3cret"));
}

#[test]
fn without_a_runtime_keys_are_unavailable() {
    let url = JwksUrl::parse("http://127.0.0.1:9/keys").unwrap();
    let jwt = Jwt::keys(Keys::from_url(url).unwrap());
    let token = token(&key_with_id(1));
    let shown = Credentials {
        carrier: Carrier::Header,
        secret: Some(&token),
        request: None,
        address: None,
    };
    let Authenticated::Refused(refusal) = jwt.authenticate(&shown) else {
        panic!("decided");
    };
    assert_eq!(refusal.code(), ErrorCode::AuthUnavailable);
}

#[test]
fn the_time_of_keys_is_within_its_bounds() {
    for (value, seconds) in [
        ("", 3600),
        ("public", 3600),
        ("max-age=300", 300),
        ("public, Max-Age=\"600\", must-revalidate", 600),
        ("max-age=1", 60),
        ("max-age=0", 60),
        ("no-cache", 60),
        ("max-age=600, no-store", 60),
        ("max-age=99999999", 24 * 3600),
        ("max-age=99999999999999999999999", 3600),
        ("max-age=-5", 3600),
        ("s-maxage=5", 3600),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(CACHE_CONTROL, value.parse().unwrap());
        assert_eq!(fetch::ttl(&headers).as_secs(), seconds, "{value}");
    }
    assert_eq!(fetch::ttl(&HeaderMap::new()).as_secs(), 3600);
}
