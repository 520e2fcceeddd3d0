//! The certificate, and when it is read.

use std::error::Error;
use std::future;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use throng::server::ServerConfig;
use throng::server::Tls;
use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tracing::info;
use tracing::warn;

use crate::cli::millis;

/// The certificate.
#[derive(Debug, Args)]
pub(crate) struct TlsOptions {
    /// A PEM file with the certificate and those that vouch for it: serve TLS. It is read again
    /// when it changes, and on SIGHUP.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,

    /// A PEM file with the private key of the certificate.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,

    /// Milliseconds between looks at whether the certificate has changed; 0: never look.
    #[arg(long, value_name = "MS", default_value = "10000", value_parser = millis)]
    tls_reload: Duration,
}

impl TlsOptions {
    /// Reads the certificate, if there is to be one.
    pub(crate) fn certificate(&self) -> Result<Certificate, Box<dyn Error>> {
        let (Some(certificates), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(Certificate(None));
        };
        let tls = Tls::from_files(certificates, key)?;
        Ok(Certificate(Some(Read {
            tls: tls.check_every(self.tls_reload),
            again: signal(SignalKind::hangup())?,
        })))
    }
}

/// What is served with, if anything.
pub(crate) struct Certificate(Option<Read>);

struct Read {
    tls: Tls,
    /// SIGHUP.
    again: Signal,
}

impl Certificate {
    pub(crate) fn scheme(&self) -> &'static str {
        match self.0 {
            Some(_) => "https",
            None => "http",
        }
    }

    pub(crate) fn configure(&self, config: ServerConfig) -> ServerConfig {
        match &self.0 {
            Some(read) => config.tls(read.tls.clone()),
            None => config,
        }
    }

    /// Reads the certificate again whenever SIGHUP comes. Never ends.
    pub(crate) async fn reload_when_told(&mut self) -> ! {
        loop {
            let Some(Read { tls, again }) = &mut self.0 else {
                future::pending::<()>().await;
                continue;
            };
            again.recv().await;
            match tls.reload() {
                Ok(()) => info!("the certificate was read again"),
                Err(error) => warn!("the certificate stays the old one: {error}"),
            }
        }
    }
}
