//! TLS of the main listener: its certificate, which is taken up anew when its files change.

use std::path::Path;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use msp_settings::SslSettings;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS cannot be had as asked; one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read, or holds none.
    #[error("[SSL] certfile {0}: {1}; it must hold the certificate and its chain as PEM")]
    Certificate(String, String),
    /// The key file cannot be read, or holds none.
    #[error("[SSL] keyfile {0}: {1}; it must hold the certificate's private key as PEM")]
    Key(String, String),
    /// They do not belong together, or are of no kind that can serve.
    #[error("[SSL] certfile {0} and keyfile {1} cannot be used: {2}")]
    Unusable(String, String, rustls::Error),
}

/// What new connections are served with.
#[derive(Debug)]
pub(crate) struct Tls {
    config: ArcSwap<ServerConfig>,
    /// Why the files could not be used lately.
    failed: ArcSwapOption<String>,
}

impl Tls {
    /// Reads the certificate and its key.
    pub(crate) fn open(settings: &SslSettings) -> Result<Self, TlsError> {
        let config = read(settings)?;
        if !msp_keyfile::is_private(&settings.keyfile) {
            tracing::warn!("{} can be read by others: chmod 600 it", settings.keyfile.display());
        }
        Ok(Self { config: ArcSwap::from_pointee(config), failed: ArcSwapOption::empty() })
    }

    /// Takes up the files as they are now, for connections to come; when they are no good, what was there stays.
    pub(crate) fn reopen(&self, settings: &SslSettings) {
        self.failed.store(None);
        self.try_again(settings);
    }

    /// The same, if it failed before; the same failure is not told again.
    pub(crate) fn retry(&self, settings: &SslSettings) {
        if self.failed.load().is_some() {
            self.try_again(settings);
        }
    }

    fn try_again(&self, settings: &SslSettings) {
        let failed = match read(settings) {
            Ok(config) => {
                self.config.store(Arc::new(config));
                None
            }
            Err(error) => Some(Arc::new(error.to_string())),
        };
        let before = self.failed.swap(failed.clone());
        match (failed, before) {
            (Some(error), before) if before.as_ref() != Some(&error) => {
                tracing::error!("the certificate stays the one before: {error}");
            }
            (None, Some(_)) => tracing::info!("the certificate can be used now"),
            _ => {}
        }
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.load_full()
    }
}

fn read(settings: &SslSettings) -> Result<ServerConfig, TlsError> {
    let SslSettings { keyfile, certfile } = settings;
    let bad_certificate = |why: String| TlsError::Certificate(shown(certfile), why);
    let chain =
        CertificateDer::pem_file_iter(certfile).map_err(|error| bad_certificate(error.to_string()))?;
    let chain = chain.collect::<Result<Vec<_>, _>>().map_err(|error| bad_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(bad_certificate("no certificate in it".to_owned()));
    }
    let key = PrivateKeyDer::from_pem_file(keyfile)
        .map_err(|error| TlsError::Key(shown(keyfile), error.to_string()))?;
    let unusable = |error| TlsError::Unusable(shown(certfile), shown(keyfile), error);
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
