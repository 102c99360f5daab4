//! What keeps a server from starting.

use std::net::SocketAddr;

use msp_core::RegistryError;
use msp_keyfile::KeyFileError;
use msp_runners::IsolationError;

use crate::doors::ExposedDocuments;
use crate::tls::TlsError;

/// Why a server cannot start; one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// An address cannot be listened on.
    #[error("[{section}] {address}: cannot listen: {error} (is another server running? choose another port)")]
    Bind {
        /// The section of config.ini.
        section: &'static str,
        /// The address and port.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
    /// Documents would lay private files open.
    #[error("[paths] documents: {0}")]
    Documents(#[from] ExposedDocuments),
    /// A folder or the control socket cannot be made.
    #[error("{place}: {error}")]
    Io {
        /// The path.
        place: String,
        /// What the system says.
        error: std::io::Error,
    },
    /// The server's key is gone while clients know it.
    #[error(
        "[Server] Keypath {0}: server.key is missing, but the registry knows {1} clients that were given its public \
         half: restore server.key from a backup, or purge the clients first (msp-admin client purge)"
    )]
    KeyGone(String, usize),
    /// Functions cannot be confined as asked.
    #[error(transparent)]
    Isolation(#[from] IsolationError),
    /// A key file is missing, damaged or of the wrong form.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// The registry cannot be used.
    #[error("[Registry] Url: {0}")]
    Registry(#[from] RegistryError),
    /// TLS was asked for and cannot be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
}
