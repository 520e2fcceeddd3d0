//! What stands for the certificate where the feature `tls` is off.

use std::error::Error;
use std::future;

use clap::Args;
use throng::server::ServerConfig;

/// No options.
#[derive(Debug, Args)]
pub(crate) struct TlsOptions {}

impl TlsOptions {
    pub(crate) fn certificate(&self) -> Result<Certificate, Box<dyn Error>> {
        Ok(Certificate)
    }
}

/// None.
pub(crate) struct Certificate;

impl Certificate {
    pub(crate) fn scheme(&self) -> &'static str {
        "http"
    }

    pub(crate) fn configure(&self, config: ServerConfig) -> ServerConfig {
        config
    }

    /// Never ends.
    pub(crate) async fn reload_when_told(&mut self) -> ! {
        future::pending().await
    }
}
