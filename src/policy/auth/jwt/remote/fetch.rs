//! The request for a key set.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::Request;
use hyper::Response;
use hyper::Uri;
use hyper::body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::ACCEPT;
use hyper::header::CACHE_CONTROL;
use hyper::header::HOST;
use hyper::header::USER_AGENT;
use hyper::rt::Read;
use hyper::rt::Write;
use hyper_util::rt::TokioIo;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject;
use tokio::net;
use tokio::net::TcpStream;
use tokio::time;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::ring;

use super::super::jwks;
use super::super::jwks::Trust;
use super::super::keys::InvalidKeys;
use super::super::keys::KeySet;
use super::super::keys::MAX_BYTES;

/// Keys, and how long they are good.
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    pub(super) ttl: Duration,
}

/// The bounds of the time for which keys are good, and what it is if the answer does not say.
const MIN_TTL: Duration = Duration::from_secs(60);
const MAX_TTL: Duration = Duration::from_secs(24 * 60 * 60);
const DEFAULT_TTL: Duration = Duration::from_secs(60 * 60);

/// Checks whether a URL is one to fetch keys from.
pub(super) fn check(uri: &Uri) -> Result<(), InvalidUrl> {
    let authority = uri.authority().ok_or(InvalidUrl::Malformed)?;
    if authority.as_str().contains('@') {
        return Err(InvalidUrl::Credentials);
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if names_loopback(host(uri)) => Ok(()),
        Some("http") => Err(InvalidUrl::NotEncrypted),
        _ => Err(InvalidUrl::Malformed),
    }
}

/// Returns the host, an address of IPv6 without its brackets.
fn host(uri: &Uri) -> &str {
    let host = uri.host().unwrap_or_default();
    let inside = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inside.unwrap_or(host)
}

fn names_loopback(host: &str) -> bool {
    let address: Result<IpAddr, _> = host.parse();
    address.map_or(host == "localhost", |address| address.is_loopback())
}

/// Reads certificates to trust.
pub(super) fn roots(pem: &[u8]) -> Result<RootCertStore, InvalidUrl> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| InvalidUrl::Certificates)?;
        let added = roots.add(certificate);
        added.map_err(|_| InvalidUrl::Certificates)?;
    }
    match roots.is_empty() {
        true => Err(InvalidUrl::Certificates),
        false => Ok(roots),
    }
}

/// Creates what encrypts, with these certificates to trust or with those of the system.
pub(super) fn connector(roots: Option<RootCertStore>) -> Result<TlsConnector, InvalidUrl> {
    let roots = roots.unwrap_or_else(|| {
        let mut roots = RootCertStore::empty();
        // A certificate that cannot be read is not trusted; the others are.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    });
    let provider = Arc::new(ring::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|_| InvalidUrl::Certificates)?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Fetches a key set.
pub(super) async fn fetch(
    uri: &Uri,
    tls: &TlsConnector,
    timeout: Duration,
) -> Result<Fetched, FetchError> {
    let fetched = time::timeout(timeout, get(uri, tls)).await;
    fetched.unwrap_or(Err(FetchError::Timeout(timeout)))
}

async fn get(uri: &Uri, tls: &TlsConnector) -> Result<Fetched, FetchError> {
    let is_encrypted = uri.scheme_str() == Some("https");
    let port = uri
        .port_u16()
        .unwrap_or(if is_encrypted { 443 } else { 80 });
    let stream = connect(host(uri), port, is_encrypted).await?;
    let response = if is_encrypted {
        let name = ServerName::try_from(host(uri).to_owned());
        let name = name.map_err(|error| FetchError::Io(io::Error::other(error)))?;
        ask(uri, tls.connect(name, stream).await?).await?
    } else {
        ask(uri, stream).await?
    };
    let ttl = ttl(response.headers());
    let body = read(response.into_body()).await?;
    let keys = jwks::read(&body, Trust::Published).map_err(FetchError::Keys)?;
    Ok(Fetched { keys, ttl })
}

async fn connect(host: &str, port: u16, is_encrypted: bool) -> Result<TcpStream, FetchError> {
    let addresses = net::lookup_host((host, port)).await?;
    // Whatever `localhost` is a name of, plain text does not leave the machine.
    let may = |address: &SocketAddr| is_encrypted || address.ip().is_loopback();
    let mut error = None;
    for address in addresses.filter(may) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(failed) => error = Some(failed),
        }
    }
    let nowhere = || io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    Err(error.unwrap_or_else(nowhere).into())
}

async fn ask<S>(uri: &Uri, stream: S) -> Result<Response<Incoming>, FetchError>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin + 'static,
    TokioIo<S>: Read + Write,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends when the response was read or given up.
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let request = Request::get(path)
        .header(HOST, authority)
        .header(ACCEPT, "application/json")
        .header(USER_AGENT, concat!("throng/", env!("CARGO_PKG_VERSION")))
        .body(String::new());
    let request = request.map_err(|error| FetchError::Io(io::Error::other(error)))?;
    let response = sender.send_request(request).await?;
    match response.status().as_u16() {
        200 => Ok(response),
        // A redirect is one of the others: whoever answers there was not configured.
        status => Err(FetchError::Status(status)),
    }
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > MAX_BYTES {
            return Err(FetchError::Keys(InvalidKeys::TooLarge));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes)
}

/// Returns how long an answer is good (RFC 9111, 5.2.2), within our bounds.
pub(super) fn ttl(headers: &HeaderMap) -> Duration {
    let values = headers.get_all(CACHE_CONTROL).into_iter();
    let values = values.filter_map(|value| value.to_str().ok());
    let mut ttl = DEFAULT_TTL;
    for directive in values.flat_map(|value| value.split(',')) {
        let directive = directive.trim().to_ascii_lowercase();
        match directive.split_once('=') {
            None if matches!(&*directive, "no-cache" | "no-store") => return MIN_TTL,
            Some(("max-age", seconds)) => {
                let seconds = seconds.trim_matches('"').parse();
                ttl = seconds.map_or(DEFAULT_TTL, Duration::from_secs);
            }
            _ => {}
        }
    }
    ttl.clamp(MIN_TTL, MAX_TTL)
}

/// The error of a URL that keys cannot be fetched from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidUrl {
    /// The certificates to trust cannot be read.
    Certificates,
    /// The URL holds a user name or a password.
    Credentials,
    /// The text is not a URL with a host.
    Malformed,
    /// The URL is of `http`, and not of a loopback address.
    NotEncrypted,
}

impl fmt::Display for InvalidUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificates => "the certificates to trust cannot be read as PEM",
            Self::Credentials => "the URL of the keys holds a user name or a password",
            Self::Malformed => "the URL of the keys must be like https://id.example/jwks.json",
            Self::NotEncrypted => "the URL of the keys must be https, unless it is on loopback",
        })
    }
}

impl Error for InvalidUrl {}

/// The error of keys that could not be fetched.
#[derive(Debug)]
#[non_exhaustive]
pub enum FetchError {
    /// The provider did not speak HTTP, or hung up.
    Http(hyper::Error),
    /// The provider cannot be reached, or its certificate is not trusted.
    Io(io::Error),
    /// The answer is not a key set that can be used.
    Keys(InvalidKeys),
    /// The status of the answer is not 200. Redirects are not followed.
    Status(u16),
    /// The fetch took longer than this.
    Timeout(Duration),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Keys(error) => error.fmt(f),
            Self::Status(status) => write!(f, "the provider answered with status {status}"),
            Self::Timeout(after) => write!(f, "no answer within {} ms", after.as_millis()),
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Http(error) => Some(error),
            Self::Io(error) => Some(error),
            Self::Keys(error) => Some(error),
            _ => None,
        }
    }
}

impl From<hyper::Error> for FetchError {
    fn from(error: hyper::Error) -> Self {
        Self::Http(error)
    }
}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
