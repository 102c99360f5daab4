//! TLS of the main listener: its certificate, which is taken up anew when its files change.

use std::path::Path;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use msp_settings::SslSettings;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use zeroize::Zeroizing;

/// Why TLS cannot be had as asked; one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate file cannot be read, or holds none.
    #[error("[SSL] certfile {0}: {1}; it must hold the certificate and its chain as PEM")]
    Certificate(String, String),
    /// It is of a version that no client of today takes.
    #[error(
        "[SSL] certfile {0}: the certificate is X.509 version 1, which clients refuse; have it issued as version 3, with \
         its names as subjectAltName (openssl x509 -req … -extfile FILE)"
    )]
    VersionOne(String),
    /// The key file cannot be read, or holds none.
    #[error("[SSL] keyfile {0}: {1}; it must hold the certificate's private key as PEM")]
    Key(String, String),
    /// The key needs a passphrase that nobody is there to give.
    #[error(
        "[SSL] keyfile {0}: the key is encrypted; take its passphrase off: openssl pkey -in {0} -out NEW"
    )]
    Encrypted(String),
    /// The key is of no kind that can serve.
    #[error(
        "[SSL] keyfile {0}: no key of a kind that can serve; right: RSA of 2048 to 4096 bits, P-256, P-384 or Ed25519"
    )]
    Kind(String),
    /// They do not belong together.
    #[error(
        "[SSL] certfile {0}: none of its certificates is that of the key in keyfile {1}; issue it for that key"
    )]
    OtherKey(String, String),
    /// They are of no use for another reason.
    #[error("[SSL] certfile {0} and keyfile {1} cannot be used: {2}")]
    Unusable(String, String, rustls::Error),
}

/// What new connections are served with.
#[derive(Debug)]
pub struct Tls {
    config: ArcSwap<ServerConfig>,
    /// Why the files could not be used lately.
    failed: ArcSwapOption<String>,
}

impl Tls {
    /// Reads the certificate and its key.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn open(settings: &SslSettings) -> Result<Self, TlsError> {
        let config = read(settings)?;
        Ok(Self { config: ArcSwap::from_pointee(config), failed: ArcSwapOption::empty() })
    }

    /// Takes up the files as they are now, for connections to come; when they are no good, what was there stays.
    pub fn reopen(&self, settings: &SslSettings) {
        self.failed.store(None);
        self.try_again(settings);
    }

    /// The same, if it failed before; the same failure is not told again.
    pub fn retry(&self, settings: &SslSettings) {
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
    let text = pem(certfile).map_err(|error| bad_certificate(error.to_string()))?;
    let chain = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let mut chain = chain.map_err(|error| bad_certificate(error.to_string()))?;
    if chain.is_empty() {
        return Err(bad_certificate("no certificate in it".to_owned()));
    }
    let bad_key = |why: String| TlsError::Key(shown(keyfile), why);
    let text = Zeroizing::new(pem(keyfile).map_err(|error| bad_key(error.to_string()))?);
    // PKCS#8 and RFC 1421.
    if text.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(TlsError::Encrypted(shown(keyfile)));
    }
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|error| bad_key(error.to_string()))?;
    let provider = Arc::new(ring::default_provider());
    let key = provider.key_provider.load_private_key(key).map_err(|_| TlsError::Kind(shown(keyfile)))?;
    let fits = |certificate: &CertificateDer<'static>| {
        CertifiedKey::new(vec![certificate.clone()], key.clone()).keys_match()
    };
    let unusable = |error| TlsError::Unusable(shown(certfile), shown(keyfile), error);
    let fitting = chain.iter().map(fits).collect::<Vec<_>>();
    match fitting.iter().position(Result::is_ok) {
        // RFC 8446, 4.4.2: the server's own goes first. Some tools write the chain the other way round.
        Some(own) => chain.get_mut(..=own).iter_mut().for_each(|before| before.rotate_right(1)),
        None => {
            return Err(match fitting.into_iter().find_map(Result::err) {
                Some(rustls::Error::InconsistentKeys(_)) | None => {
                    TlsError::OtherKey(shown(certfile), shown(keyfile))
                }
                // webpki's reason has no type here.
                Some(error) if format!("{error:?}").contains("UnsupportedCertVersion") => {
                    TlsError::VersionOne(shown(certfile))
                }
                Some(error) => unusable(error),
            });
        }
    }
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// The file's text, each of its parts on lines of its own: `cat` glues what does not end with one.
fn pem(path: &Path) -> std::io::Result<String> {
    let bytes = Zeroizing::new(std::fs::read(path)?);
    Ok(String::from_utf8_lossy(&bytes).replace("-----BEGIN ", "\n-----BEGIN "))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
