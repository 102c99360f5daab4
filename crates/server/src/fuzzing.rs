//! The reader of the proxies' headers, for `crates/fuzz` alone.

use std::net::IpAddr;

use actix_web::HttpRequest;
use msp_settings::ProxySettings;

use crate::peer::Peer;

/// What a request is taken to say of where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The address that counts.
    pub address: IpAddr,
    /// True when it is that of a trusted proxy, which named nobody.
    pub is_hop: bool,
    /// `X-Forwarded-Proto`, `-Host` and `-Prefix`, as far as they are trusted.
    pub texts: [Option<String>; 3],
    /// `X-Forwarded-Port`, likewise.
    pub port: Option<u16>,
}

/// Reads socket and headers of a request.
#[must_use]
pub fn seen(request: &HttpRequest, proxy: &ProxySettings) -> Seen {
    let Peer { address, is_hop, scheme, host, port, prefix } = Peer::of(request, proxy);
    Seen { address, is_hop, texts: [scheme, host, prefix], port }
}
