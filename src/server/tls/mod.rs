//! TLS: a certificate and its key from files, read again when they change.

mod error;
mod files;

use std::fmt;
use std::future;
use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use parking_lot::RwLock;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::task;
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::server::TlsStream;

use crate::server::ServerConfig;

use self::files::Files;
use self::files::Print;

pub use self::error::TlsError;

/// TLS for a server: versions 1.2 and 1.3, HTTP/2 and HTTP/1.1 by ALPN. A cheap clone.
///
/// # Reloading
///
/// While a server runs with it, the files are looked at [now and then](Tls::check_every). When
/// either has changed both are read again, and new connections get the new certificate; those
/// that are open keep theirs. Files that cannot be used change nothing, and are complained of
/// once in the log, until they change again. So a certificate and a key may be replaced one after
/// the other.
///
/// ```no_run
/// use throng::server::{ServerConfig, Tls, TlsError};
///
/// let _config = ServerConfig::new().tls(Tls::from_files("cert.pem", "key.pem")?);
/// # Ok::<_, TlsError>(())
/// ```
#[derive(Clone)]
pub struct Tls {
    shared: Arc<Shared>,
    check_every: Duration,
}

struct Shared {
    files: Files,
    acceptor: RwLock<TlsAcceptor>,
    /// What the files looked like when they were last read, usable or not.
    seen: Mutex<Print>,
}

impl Tls {
    /// Reads a chain of certificates, the server's own first, and its private key, from PEM
    /// files.
    ///
    /// # Errors
    ///
    /// Says which file cannot be used, and why.
    pub fn from_files(
        certificates: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, TlsError> {
        let files = Files::new(certificates.into(), key.into());
        let seen = files.print();
        let acceptor = acceptor(&files)?;
        Ok(Self {
            shared: Arc::new(Shared {
                files,
                acceptor: RwLock::new(acceptor),
                seen: Mutex::new(seen),
            }),
            check_every: Duration::from_secs(10),
        })
    }

    /// How often to look whether the files have changed. Default 10 s; zero: never.
    #[must_use]
    pub fn check_every(mut self, time: Duration) -> Self {
        self.check_every = time;
        self
    }

    /// Reads the files now, whether they have changed or not. Blocks while it does.
    ///
    /// # Errors
    ///
    /// Says which file cannot be used, and why. What was in use stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        *self.shared.seen.lock() = self.shared.files.print();
        let acceptor = acceptor(&self.shared.files)?;
        *self.shared.acceptor.write() = acceptor;
        Ok(())
    }

    /// Looks at the files for as long as it is polled.
    pub(super) async fn watch(&self) -> ! {
        if self.check_every.is_zero() {
            future::pending::<()>().await;
        }
        let mut tick = time::interval(self.check_every);
        loop {
            tick.tick().await;
            let tls = self.clone();
            // An error: the runtime shuts down.
            drop(task::spawn_blocking(move || tls.reload_if_changed()).await);
        }
    }

    /// With an unsent mark, what is encrypted and not written is bounded to it, and to one record
    /// at most: by itself, rustls takes 64 KiB.
    pub(super) async fn accept<IO>(
        &self,
        io: IO,
        unsent_mark: Option<NonZeroU32>,
    ) -> io::Result<TlsStream<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let acceptor = self.shared.acceptor.read().clone();
        let accepted = acceptor.accept_with(io, |connection| {
            if unsent_mark.is_some() {
                connection.set_buffer_limit(Some(RECORD));
            }
        });
        accepted.await
    }

    fn reload_if_changed(&self) {
        if *self.shared.seen.lock() == self.shared.files.print() {
            return;
        }
        match self.reload() {
            Ok(()) => tracing::info!("the certificate was read again"),
            Err(error) => tracing::warn!("the certificate stays the old one: {error}"),
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.shared.files)
            .field("check_every", &self.check_every)
            .finish_non_exhaustive()
    }
}

impl ServerConfig {
    /// Serves TLS alone: `https` and `wss`. Default: none, `http` and `ws`.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }
}

/// The most plaintext in one record (RFC 8446 §5.1).
const RECORD: usize = 16 << 10;

fn acceptor(files: &Files) -> Result<TlsAcceptor, TlsError> {
    let (chain, key) = files.read()?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?;
    let mut config = config
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests;
