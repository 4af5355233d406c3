//! The certificate and key that clients see, and whose certificates an upstream may show.

use anyhow::Context;
use capture::Routes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;

/// TLS with HTTP/2 and HTTP/1.1, from PEM files.
pub(crate) fn server(cert: &Path, key: &Path) -> anyhow::Result<Arc<rustls::ServerConfig>> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("cannot read the certificate chain {}", cert.display()))?;
    anyhow::ensure!(!chain.is_empty(), "{} holds no certificate in PEM form", cert.display());
    let secret = PrivateKeyDer::from_pem_file(key).with_context(|| format!("cannot read the key {}", key.display()))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .with_context(|| format!("{} and {} do not fit together", cert.display(), key.display()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// TLS towards upstreams. Trusted is whom the system trusts, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name, as the
/// clients that deliver do; where a system has no certificates, as in an empty container, the public authorities.
///
/// # Errors
/// `SSL_CERT_FILE` or `SSL_CERT_DIR` without a certificate.
pub(crate) fn upstream(routes: &Routes) -> anyhow::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    // Reading them takes longer than everything else at the start.
    if routes.upstreams().iter().any(|upstream| upstream.tls) {
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            tracing::warn!(%error, "certificates of authorities cannot be read");
        }
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            for name in ["SSL_CERT_FILE", "SSL_CERT_DIR"] {
                if let Some(place) = std::env::var_os(name).filter(|place| !place.is_empty()) {
                    anyhow::bail!(
                        "{} holds no certificate in PEM form (it is what {name} names)",
                        Path::new(&place).display()
                    );
                }
            }
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}
