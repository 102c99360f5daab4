//! Which hosts a listener without TLS may be asked for.
//!
//! A page's own name can be made to lead to this machine (DNS rebinding): its browser then takes what is served here for
//! that page's own, and no rule about origins applies. The name stays in `Host`, so a name that is not ours is refused.
//! With TLS the certificate does this.

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use msp_core::Reason;
use msp_settings::{AskedHost, NetworkSettings};

/// Lets a request pass whose every host is an address, this machine itself, or a name of ours. What proxies say of the
/// host does not count: a page could say it too.
///
/// # Errors
/// The status, and the reason for the ring.
pub(crate) fn admit(request: &HttpRequest, network: &NetworkSettings) -> Result<(), (StatusCode, Reason)> {
    let mut named = request.headers().get_all(header::HOST).map(HeaderValue::as_bytes);
    let (Some(host), None) = (named.next(), named.next()) else {
        return Err((StatusCode::BAD_REQUEST, Reason::HostMissing));
    };
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    for asked in [Some(host), authority].into_iter().flatten() {
        let host = std::str::from_utf8(asked).ok().and_then(AskedHost::parse);
        let Some(host) = host else { return Err((StatusCode::BAD_REQUEST, Reason::HostMissing)) };
        if !host.is_fixed() && !network.hosts.contains(&host.name()) {
            let name = host.name().chars().take(200).collect();
            return Err((StatusCode::MISDIRECTED_REQUEST, Reason::HostRefused(name)));
        }
    }
    Ok(())
}
