//! Which hosts a listener without TLS may be asked for.
//!
//! A page's own name can be made to lead to this machine (DNS rebinding): its browser then takes what is served here for
//! that page's own, and no rule about origins applies. The name stays in `Host`, so a name that is not ours is refused.
//! With TLS the certificate does this.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use msp_core::Refusal;
use msp_settings::{AskedHost, NetworkSettings};

/// Why a request is not for this server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostRefusal {
    /// No host, more than one, or what is none.
    #[error("it names no host, or more than one")]
    Missing,
    /// A host that is none of ours, over plain HTTP.
    #[error("the host {0} is neither an address nor in [network] Hosts nor that of [Server] PublicUrl")]
    Foreign(String),
}

impl Refusal for HostRefusal {}

impl HostRefusal {
    /// The status, and its text.
    #[must_use]
    pub const fn status(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Missing => (StatusCode::BAD_REQUEST, "400"),
            Self::Foreign(_) => (StatusCode::MISDIRECTED_REQUEST, "421"),
        }
    }
}

/// Lets a request pass whose every host is an address, this machine itself, or a name of ours. What proxies say of the
/// host does not count: a page could say it too.
///
/// # Errors
/// [`HostRefusal`].
pub fn admit_host(request: &HttpRequest, network: &NetworkSettings) -> Result<(), HostRefusal> {
    let mut named = request.headers().get_all(header::HOST).map(HeaderValue::as_bytes);
    let (Some(host), None) = (named.next(), named.next()) else {
        return Err(HostRefusal::Missing);
    };
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    for asked in [Some(host), authority].into_iter().flatten() {
        let host = std::str::from_utf8(asked).ok().and_then(AskedHost::parse);
        let Some(host) = host else { return Err(HostRefusal::Missing) };
        if !host.is_fixed() && !network.hosts.contains(&host.name()) {
            let name = host.name().chars().take(200).collect();
            return Err(HostRefusal::Foreign(name));
        }
    }
    Ok(())
}
