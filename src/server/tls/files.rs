//! The files that a certificate comes from.

use std::fs;
use std::fs::Metadata;
#[cfg(unix)]
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::SystemTime;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem;
use rustls_pki_types::pem::PemObject;

use crate::server::tls::error::TlsError;

/// A file of certificates and one of their key.
#[derive(Debug)]
pub(super) struct Files {
    certificates: PathBuf,
    key: PathBuf,
}

/// What tells two versions of the files apart without reading them: for each its length, when it
/// was changed and what the file system knows it as, or that there is none. The time alone is not
/// enough: it may stand still for longer than it takes to replace a file.
pub(super) type Print = [Option<(u64, Option<SystemTime>, u64)>; 2];

impl Files {
    pub(super) fn new(certificates: PathBuf, key: PathBuf) -> Self {
        Self { certificates, key }
    }

    pub(super) fn print(&self) -> Print {
        let print = |path: &Path| {
            let metadata = fs::metadata(path).ok()?;
            Some((metadata.len(), metadata.modified().ok(), number(&metadata)))
        };
        [print(&self.certificates), print(&self.key)]
    }

    pub(super) fn read(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let bad = |path: &Path| {
            let path = path.to_owned();
            move |error| TlsError::File { path, error }
        };
        let chain = CertificateDer::pem_file_iter(&self.certificates)
            .and_then(|certificates| certificates.collect::<Result<Vec<_>, pem::Error>>())
            .map_err(bad(&self.certificates))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate {
                path: self.certificates.clone(),
            });
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(bad(&self.key))?;
        Ok((chain, key))
    }
}

/// The number of a file, which another that is put in its place does not have.
#[cfg(unix)]
fn number(metadata: &Metadata) -> u64 {
    metadata.ino()
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> u64 {
    0
}
