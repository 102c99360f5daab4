//! What keeps a server from starting.

use std::io::ErrorKind;
use std::net::SocketAddr;

use msp_core::RegistryError;
use msp_door_plugin::ExposedDocuments;
use msp_http::TlsError;
use msp_keyfile::KeyFileError;
use msp_runners::IsolationError;

/// Why a server cannot start; one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// An address cannot be listened on.
    #[error("[{section}] {address}: cannot listen: {error}; {}", would_listen(error))]
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

/// What would be right where an address cannot be listened on.
fn would_listen(error: &std::io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::AddrInUse => "another server has it: end that one, or choose another port",
        ErrorKind::AddrNotAvailable => {
            "bindto is an address of this machine, or 0.0.0.0 or :: for all of them"
        }
        ErrorKind::PermissionDenied => {
            "a port below 1024 needs root or CAP_NET_BIND_SERVICE; choose another port"
        }
        _ => "choose another bindto or port",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_not_to_listen_has_its_own_advice() {
        let advice = |kind: ErrorKind| {
            let (section, address) = ("network", SocketAddr::from(([127, 0, 0, 1], 80)));
            StartupError::Bind { section, address, error: kind.into() }.to_string()
        };
        assert!(advice(ErrorKind::AddrInUse).contains("another server has it"));
        assert!(advice(ErrorKind::AddrNotAvailable).contains("an address of this machine"));
        assert!(advice(ErrorKind::PermissionDenied).contains("CAP_NET_BIND_SERVICE"));
    }
}
