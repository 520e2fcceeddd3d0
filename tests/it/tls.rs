//! TLS: certificates from files, made here, and what becomes of them while the server runs.
//!
//! - Clients speak `wss` and `https`, over HTTP/2 if they ask for it.
//! - Whoever never comes to speak TLS is hung up on, and holds up nobody.
//! - A new certificate is for new connections; it is found by looking, or on SIGHUP.
//! - One that cannot be used changes nothing and is complained of once; at the start it is an
//!   error.

use std::fs;
use std::io::BufRead;
use std::io::Read;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::Empty;
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::TokioExecutor;
use hyper_util::rt::TokioIo;
use rcgen::CertifiedKey;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::ClientConnection;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::StreamOwned;
use tokio_rustls::rustls::crypto::ring;
use tungstenite::WebSocket;

use crate::binary::PATIENCE;
use crate::binary::Throng;
use crate::binary::hung_up;
use crate::binary::pause;

/// A certificate for `localhost` and its key.
pub(crate) struct Pair {
    certificate: CertificateDer<'static>,
    certificate_pem: String,
    key_pem: String,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        Self {
            certificate: cert.der().clone(),
            certificate_pem: cert.pem(),
            key_pem: signing_key.serialize_pem(),
        }
    }
}

/// A folder with a certificate and its key, gone when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str, pair: &Pair) -> Self {
        let name = format!("{name}-{}", process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        let folder = Self(path);
        folder.put(pair);
        folder
    }

    fn put(&self, pair: &Pair) {
        self.put_certificate(pair);
        self.put_key(pair);
    }

    fn put_certificate(&self, pair: &Pair) {
        self.replace(&self.certificate(), &pair.certificate_pem);
    }

    fn put_key(&self, pair: &Pair) {
        self.replace(&self.key(), &pair.key_pem);
    }

    /// Replaces a file at once: nobody finds half of it.
    fn replace(&self, path: &str, content: &str) {
        let new = self.0.join("new.pem");
        fs::write(&new, content).unwrap();
        fs::rename(new, path).unwrap();
    }

    pub(crate) fn certificate(&self) -> String {
        self.0.join("cert.pem").to_str().unwrap().to_owned()
    }

    pub(crate) fn key(&self) -> String {
        self.0.join("key.pem").to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// The arguments for this folder, and these.
macro_rules! arguments {
    ($folder:expr $(, $more:expr)*) => {
        &["--tls-cert", &$folder.certificate(), "--tls-key", &$folder.key() $(, $more)*]
    };
}

/// Trusts these certificates and offers these protocols.
pub(crate) fn trusting(pairs: &[&Pair], protocols: &[&str]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for pair in pairs {
        roots.add(pair.certificate.clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    Arc::new(config)
}

type Secured = StreamOwned<ClientConnection, TcpStream>;

fn connect(throng: &Throng, config: &Arc<ClientConfig>) -> Secured {
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::clone(config), name).unwrap();
    StreamOwned::new(connection, throng.tcp())
}

/// Asks once, and hangs up; also which certificate was shown.
fn get(
    throng: &Throng,
    config: &Arc<ClientConfig>,
    path: &str,
) -> (String, CertificateDer<'static>) {
    let mut stream = connect(throng, config);
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let shown = stream.conn.peer_certificates().unwrap()[0]
        .clone()
        .into_owned();
    (answer, shown)
}

/// The next push.
fn push(socket: &mut WebSocket<Secured>) -> Value {
    serde_json::from_str(socket.read().unwrap().to_text().unwrap()).unwrap()
}

/// Asks until this certificate is shown.
fn shown_at_last(throng: &Throng, config: &Arc<ClientConfig>, pair: &Pair) {
    let start = Instant::now();
    while get(throng, config, "/healthz").1 != pair.certificate {
        assert!(start.elapsed() < PATIENCE);
        pause();
    }
}

#[test]
fn clients_speak_wss_and_https() {
    let pair = Pair::new();
    let folder = Folder::new("wss", &pair);
    let throng = Throng::start(arguments!(folder));
    let config = trusting(&[&pair], &[]);
    let (answer, _) = get(&throng, &config, "/healthz");
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"),
        "{answer}"
    );

    let (mut socket, _) =
        tungstenite::client("wss://localhost/ws", connect(&throng, &config)).unwrap();
    assert_eq!(push(&mut socket)["type"], "connected");
    let subscribe = r#"{"type":"subscribe","channel_id":"news"}"#;
    socket.send(subscribe.into()).unwrap();
    assert_eq!(push(&mut socket)["type"], "joined");
    let mut publishing = connect(&throng, &config);
    // More than a record of TLS holds, and than a socket takes at once.
    let text = "x".repeat(1 << 19);
    let head = format!(
        "POST /api/v1/channels/news/publish HTTP/1.1\r\nhost: localhost\r\n\
         content-type: text/plain\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        text.len()
    );
    publishing.write_all(head.as_bytes()).unwrap();
    publishing.write_all(text.as_bytes()).unwrap();
    publishing.flush().unwrap();
    assert_eq!(push(&mut socket)["text"], text);
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
}

#[tokio::test]
async fn http2_is_agreed_on() {
    let pair = Pair::new();
    let folder = Folder::new("h2", &pair);
    let throng = Throng::start(arguments!(folder));
    let connector = TlsConnector::from(trusting(&[&pair], &["h2", "http/1.1"]));
    let stream = tokio::net::TcpStream::connect(throng.address)
        .await
        .unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = Request::get("https://localhost/healthz")
        .body(Empty::<Bytes>::new())
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes(),
        "ok"
    );
}

#[test]
fn whoever_never_speaks_tls_is_hung_up_on() {
    let pair = Pair::new();
    let folder = Folder::new("silent", &pair);
    let throng = Throng::start(arguments!(folder, "--head-timeout", "200"));
    for beginning in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = throng.tcp();
        stream.write_all(beginning).unwrap();
        // An alert, or nothing.
        let said = hung_up(stream);
        assert!(!said.starts_with(b"HTTP"), "{said:?}");
    }
    let config = trusting(&[&pair], &[]);
    let start = Instant::now();
    while !get(&throng, &config, "/api/v1/stats")
        .0
        .contains("\"no_tls\":3")
    {
        assert!(start.elapsed() < PATIENCE);
        pause();
    }
}

#[test]
fn half_a_handshake_holds_up_nobody() {
    let pair = Pair::new();
    let folder = Folder::new("half", &pair);
    let throng = Throng::start(arguments!(folder, "--head-timeout", "600000"));
    let silent: Vec<_> = (0..500)
        .map(|_| {
            let mut stream = throng.tcp();
            stream.write_all(b"\x16\x03\x01").unwrap();
            stream
        })
        .collect();
    let (answer, _) = get(&throng, &trusting(&[&pair], &[]), "/healthz");
    assert!(answer.ends_with("ok"), "{answer}");
    drop(silent);
}

#[test]
fn a_new_certificate_is_found() {
    let (old, new) = (Pair::new(), Pair::new());
    let folder = Folder::new("found", &old);
    let throng = Throng::start(arguments!(folder, "--tls-reload", "10"));
    let config = trusting(&[&old, &new], &[]);
    let mut open = connect(&throng, &config);
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    open.write_all(request).unwrap();
    open.read_exact(&mut [0; 15]).unwrap();

    folder.put(&new);
    shown_at_last(&throng, &config, &new);
    // What is open stays so.
    open.write_all(request).unwrap();
    open.read_exact(&mut [0; 15]).unwrap();
    let shown = &open.conn.peer_certificates().unwrap()[0];
    assert_eq!(*shown, old.certificate);
}

#[test]
fn a_new_certificate_is_read_when_told() {
    let (old, new) = (Pair::new(), Pair::new());
    let folder = Folder::new("told", &old);
    let throng = Throng::start(arguments!(folder, "--tls-reload", "0"));
    let config = trusting(&[&old, &new], &[]);
    folder.put(&new);
    assert_eq!(get(&throng, &config, "/healthz").1, old.certificate);
    throng.signal("HUP");
    shown_at_last(&throng, &config, &new);
}

#[test]
fn a_bad_certificate_changes_nothing() {
    let (old, new) = (Pair::new(), Pair::new());
    let folder = Folder::new("bad", &old);
    let (throng, mut log) = Throng::start_logging(arguments!(folder, "--tls-reload", "10"));
    let config = trusting(&[&old, &new], &[]);
    // A certificate without its key: as when one of two files has been replaced.
    folder.put_certificate(&new);
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("the certificate stays the old one"), "{line}");
    for _ in 0..20 {
        assert_eq!(get(&throng, &config, "/healthz").1, old.certificate);
    }
    folder.put_key(&new);
    shown_at_last(&throng, &config, &new);
    drop(throng);
    let mut rest = String::new();
    log.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "", "complained of once");
}

#[test]
fn a_bad_certificate_at_the_start_is_an_error() {
    let pair = Pair::new();
    let folder = Folder::new("error", &pair);
    let complaint = |certificate: &str, key: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_throng"))
            .args([
                "--insecure",
                "--listen",
                "127.0.0.1:0",
                "--tls-cert",
                certificate,
                "--tls-key",
                key,
            ])
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let (certificate, key) = (folder.certificate(), folder.key());
    let missing = complaint("/no/such.pem", &key);
    assert!(
        missing.starts_with("throng: cannot read /no/such.pem:"),
        "{missing}"
    );
    let swapped = complaint(&key, &key);
    assert_eq!(swapped, format!("throng: no certificate in {key}\n"));
    let no_key = complaint(&certificate, &certificate);
    assert_eq!(no_key, format!("throng: no private key in {certificate}\n"));
    folder.put_key(&Pair::new());
    let strangers = complaint(&certificate, &key);
    assert!(
        strangers.starts_with("throng: certificate or key:"),
        "{strangers}"
    );
    let alone = Command::new(env!("CARGO_BIN_EXE_throng"))
        .args(["--tls-cert", &certificate])
        .output()
        .unwrap();
    assert!(!alone.status.success());
}

/// Both ends of TLS for an embedder's own server.
pub(crate) fn ends() -> (TlsAcceptor, TlsConnector) {
    let pair = Pair::new();
    let key = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![pair.certificate.clone()], key)
        .unwrap();
    let connector = TlsConnector::from(trusting(&[&pair], &[]));
    (TlsAcceptor::from(Arc::new(config)), connector)
}
