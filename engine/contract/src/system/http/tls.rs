//! TLS: trusted certificates, and client certificates.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig,
    client::danger::ServerCertVerifier,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::verifier::{Unverified, Verifier};
use crate::{Host, system::regular};

/// Which servers are trusted.
#[derive(Clone, Debug)]
pub struct Trust {
    /// `false` disables certificate verification.
    pub validate: bool,
    /// A file or directory of certificates, instead of the host's own.
    pub ca_path: Option<PathBuf>,
    /// A file with the client certificate, and the key if `client_key` is not given.
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
}

impl Default for Trust {
    fn default() -> Self {
        Trust { validate: true, ca_path: None, client_cert: None, client_key: None }
    }
}

impl Trust {
    /// The TLS configuration for this kind of trust.
    pub(super) fn config(&self, host: &Host) -> Result<ClientConfig, String> {
        let provider = Arc::new(ring::default_provider());
        let verifier: Arc<dyn ServerCertVerifier> = match self.validate {
            true => Arc::new(Verifier::new(self.trusted(host)?, provider.clone())?),
            false => Arc::new(Unverified(provider.signature_verification_algorithms.supported_schemes())),
        };
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| error.to_string())?;
        let config = config.dangerous().with_custom_certificate_verifier(verifier);
        let Some(path) = &self.client_cert else { return Ok(config.with_no_client_auth()) };
        let key_path = self.client_key.as_ref().unwrap_or(path);
        let key = PrivateKeyDer::from_pem_slice(&read(key_path)?)
            .map_err(|_| format!("there is no private key in {}", key_path.display()))?;
        let config = config.with_client_auth_cert(read_pem(path)?, key);
        config.map_err(|error| format!("cannot use the client certificate in {}: {error}", path.display()))
    }

    fn trusted(&self, host: &Host) -> Result<Vec<CertificateDer<'static>>, String> {
        match &self.ca_path {
            Some(path) => certificates_at(path),
            None => own_certificates(host),
        }
    }
}

/// The host's own certificates: `SSL_CERT_FILE` of the call, or the bundle of the distribution.
fn own_certificates(host: &Host) -> Result<Vec<CertificateDer<'static>>, String> {
    if let Some(path) = host.variable("SSL_CERT_FILE") {
        return certificates_at(&PathBuf::from(path));
    }
    // Invalid certificates in the bundle are skipped; servers that need them are rejected.
    Ok(rustls_native_certs::load_native_certs().certs)
}

fn certificates_at(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    if !path.is_dir() {
        return read_pem(path);
    }
    let entries = fs::read_dir(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut all = Vec::new();
    for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
        // A certificate directory may contain other files too.
        all.extend(read_pem(&entry.path()).unwrap_or_default());
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    regular::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn read_pem(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(path)?).collect();
    found.map_err(|error| format!("{} is not in PEM: {error}", path.display()))
}
