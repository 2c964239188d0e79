//! TLS: trusted certificates, and client certificates.

use std::{fs, path::PathBuf};

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use crate::Host;

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
    pub(super) fn config(&self, host: &Host) -> Result<TlsConfig, String> {
        let mut config = TlsConfig::builder().disable_verification(!self.validate);
        if self.validate {
            let roots = match &self.ca_path {
                Some(path) => certificates_at(path)?,
                None => own_certificates(host)?,
            };
            config = config.root_certs(RootCerts::from(roots));
        }
        if let Some(path) = &self.client_cert {
            let (chain, mut key) = read_pem(path)?;
            if let Some(path) = &self.client_key {
                key = read_pem(path)?.1;
            }
            let key = key.ok_or_else(|| format!("there is no private key in {}", path.display()))?;
            config = config.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
        }
        Ok(config.build())
    }
}

/// The host's own certificates: `SSL_CERT_FILE` of the call, or the bundle of the distribution.
fn own_certificates(host: &Host) -> Result<Vec<Certificate<'static>>, String> {
    if let Some(path) = host.variable("SSL_CERT_FILE") {
        return certificates_at(&PathBuf::from(path));
    }
    // Invalid certificates in the bundle are skipped; servers that need them are rejected.
    let loaded = rustls_native_certs::load_native_certs();
    Ok(loaded.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect())
}

fn certificates_at(path: &PathBuf) -> Result<Vec<Certificate<'static>>, String> {
    if !path.is_dir() {
        return read_pem(path).map(|(certificates, _)| certificates);
    }
    let entries = fs::read_dir(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let mut all = Vec::new();
    for entry in entries.flatten().filter(|entry| entry.path().is_file()) {
        // A certificate directory may contain other files too.
        all.extend(read_pem(&entry.path()).map(|(certificates, _)| certificates).unwrap_or_default());
    }
    Ok(all)
}

type Pem = (Vec<Certificate<'static>>, Option<PrivateKey<'static>>);

fn read_pem(path: &PathBuf) -> Result<Pem, String> {
    let text =
        crate::system::regular::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let (mut certificates, mut key) = (Vec::new(), None);
    for item in parse_pem(&text) {
        match item.map_err(|error| format!("{} is not in PEM: {error}", path.display()))? {
            PemItem::Certificate(certificate) => certificates.push(certificate),
            PemItem::PrivateKey(found) => key = Some(found),
            _ => {}
        }
    }
    Ok((certificates, key))
}
