//! Why a certificate cannot be used.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use rustls_pki_types::pem;
use tokio_rustls::rustls;

/// Why a certificate and its key cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read as PEM.
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// There is no certificate in the file.
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The certificate and the key are no good, or not a pair.
    Unusable(rustls::Error),
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, error } => match error {
                pem::Error::NoItemsFound => write!(f, "no private key in {}", path.display()),
                error => write!(f, "cannot read {}: {error}", path.display()),
            },
            Self::NoCertificate { path } => write!(f, "no certificate in {}", path.display()),
            Self::Unusable(error) => write!(f, "certificate or key: {error}"),
        }
    }
}

impl Error for TlsError {}
