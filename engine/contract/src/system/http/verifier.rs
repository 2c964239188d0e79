//! Whether a server's certificate is trusted.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

/// Verifies as webpki does, and also accepts what OpenSSL accepts: a server that presents a certificate authority's own
/// certificate which is itself among the trusted ones, as a self-signed one that is given as `ca_path` is.
///
/// This trusts no more than the trusted certificates say: the owner of such a key could issue a certificate for any
/// server. The name, the dates and the signature of the handshake are verified as for any other certificate.
#[derive(Debug)]
pub(super) struct Verifier {
    webpki: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl Verifier {
    /// A verifier that trusts these certificates; those that cannot be parsed are left out.
    ///
    /// # Errors
    /// If none is left.
    pub(super) fn new(trusted: Vec<CertificateDer<'static>>, provider: Arc<CryptoProvider>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let webpki = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let webpki = webpki.map_err(|_| "there is no certificate to verify the server's with".to_owned())?;
        Ok(Verifier { webpki, trusted })
    }
}

/// Whether webpki refused a certificate only because it is that of an authority. It looks at the dates before.
fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.webpki.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            Err(error) if is_authority(&error) && self.trusted.iter().any(|trusted| trusted == end_entity) => {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.webpki.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.webpki.supported_verify_schemes()
    }
}

/// Takes any certificate: what `validate_certs: false` asks for.
#[derive(Debug)]
pub(super) struct Unverified(pub Vec<SignatureScheme>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls::{crypto::ring, pki_types::pem::PemObject};

    use super::*;

    /// A self-signed authority for `localhost`, valid from 27 November 2026 for ten years. Its key is thrown away.
    const OURS: &str = "\
-----BEGIN CERTIFICATE-----
MIIBmTCCAT+gAwIBAgIUSt4PxUJOMkoIIqGU9BR5m/uEbgAwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MB4XDTI2MTEyNzEwNTUwMloXDTM2MTEyNDEw
NTUwMlowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEPF5pgvndKlH9VQUHR+GncwawKcqEhur8Tgxhf2xfF3bAramu7bR4JgIp
CvpD6tHKsykhVRaCyj4RS0nra2WvW6NvMG0wHQYDVR0OBBYEFDnkgCAnAQCOaNWK
fl5EU0PpkHrNMB8GA1UdIwQYMBaAFDnkgCAnAQCOaNWKfl5EU0PpkHrNMA8GA1Ud
EwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAoGCCqGSM49
BAMCA0gAMEUCIQD7Lb/dprLK/6rVu7ZVX9uY7sQ8EQKaqSV3dOXpapxWFAIgZHVc
vBpypYsVeSrHnI3278Ni/EvY7Uq0WCOuXecPGCw=
-----END CERTIFICATE-----
";
    /// Another one of the same name.
    const OTHER: &str = "\
-----BEGIN CERTIFICATE-----
MIIBlDCCATmgAwIBAgIUMwvxJNxC0AGMDGveUdV+7XtPkuIwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MB4XDTI2MTEyNzEwNTUwMloXDTM2MTEyNDEw
NTUwMlowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEk+R6F6Hr6r73A14JJ/Mx8dUiGENt5a0cC88jgsco/LTO4YPb0qAD6SHh
z1dfdDVXS9fSgNEkqiazt8uESXSvHKNpMGcwHQYDVR0OBBYEFHy5GxT6GvIrhrLe
gIkM1TnLm7sFMB8GA1UdIwQYMBaAFHy5GxT6GvIrhrLegIkM1TnLm7sFMA8GA1Ud
EwEB/wQFMAMBAf8wFAYDVR0RBA0wC4IJbG9jYWxob3N0MAoGCCqGSM49BAMCA0kA
MEYCIQC8NGKUxef21Hys8bkAuDuiFbzj/o6Dgvw1KUwBUp0PzQIhAONY4BN729z4
gP07E81hw2cKEBeCEN3qKdUFZvRZLVRV
-----END CERTIFICATE-----
";

    /// Within the time that both are valid.
    const DAY: u64 = 1_800_000_000;

    fn certificate(pem: &str) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
    }

    fn verified(trusted: &str, presented: &str, name: &str, at: u64) -> Result<(), Error> {
        let verifier = Verifier::new(vec![certificate(trusted)], Arc::new(ring::default_provider())).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(at));
        let name = ServerName::try_from(name).unwrap();
        verifier.verify_server_cert(&certificate(presented), &[], &name, &[], now).map(|_| ())
    }

    #[test]
    fn an_authority_that_is_trusted_itself_may_serve() {
        assert_eq!(verified(OURS, OURS, "localhost", DAY), Ok(()));
        assert_eq!(verified(OURS, OURS, "127.0.0.1", DAY), Ok(()));
    }

    #[test]
    fn what_makes_any_other_certificate_invalid_makes_it_invalid() {
        let refused = |trusted, presented, name, at| verified(trusted, presented, name, at).unwrap_err().to_string();
        assert!(refused(OURS, OURS, "example.org", DAY).contains("not valid for name"));
        assert!(refused(OURS, OURS, "localhost", 1_000_000_000).contains("not valid yet"));
        assert!(refused(OURS, OURS, "localhost", 2_500_000_000).contains("expired"));
        // The same name and the same subject, but another key.
        assert!(verified(OURS, OTHER, "localhost", DAY).is_err());
    }

    #[test]
    fn without_certificates_nobody_can_be_verified() {
        assert!(Verifier::new(Vec::new(), Arc::new(ring::default_provider())).is_err());
    }
}
