//! Where a request comes from, as far as trusted proxies say.

use std::net::{IpAddr, SocketAddr};

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderMap, HeaderValue};
use msp_settings::ProxySettings;

/// What the socket and the trusted part of the `X-Forwarded-…` headers say of a request.
///
/// Each header is believed only as far as the operator counted hops for it: of all its values the N-th from the
/// right was written by the outermost trusted proxy, everything left of it by anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where the request seems to come from.
    pub address: IpAddr,
    /// The address is that of a trusted proxy, which did not say for whom it speaks.
    pub is_hop: bool,
    /// The scheme that a trusted proxy was asked with.
    pub scheme: Option<String>,
    /// The host that it was asked for.
    pub host: Option<String>,
    /// The port that it was asked at.
    pub port: Option<u16>,
    /// What it has taken off the path.
    pub prefix: Option<String>,
}

impl Peer {
    /// Reads socket and headers; `unspecified` stands for a peer that has gone already.
    #[must_use]
    pub fn of(request: &HttpRequest, proxy: &ProxySettings) -> Self {
        let socket = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
        Self::from_headers(socket, request.headers(), proxy)
    }

    fn from_headers(socket: IpAddr, headers: &HeaderMap, proxy: &ProxySettings) -> Self {
        let trusted = |name, hops| nth_from_the_right(headers, name, hops);
        let forwarded = trusted("x-forwarded-for", proxy.forward_for).and_then(|text| address(&text));
        Self {
            address: forwarded.unwrap_or(socket).to_canonical(),
            is_hop: proxy.forward_for > 0 && forwarded.is_none(),
            scheme: trusted("x-forwarded-proto", proxy.forward_proto),
            host: trusted("x-forwarded-host", proxy.forward_host),
            port: trusted("x-forwarded-port", proxy.forward_port).and_then(|text| text.parse().ok()),
            prefix: trusted("x-forwarded-prefix", proxy.forward_prefix),
        }
    }
}

fn nth_from_the_right(headers: &HeaderMap, name: &str, hops: u8) -> Option<String> {
    if hops == 0 {
        return None;
    }
    // Cut as bytes: a stranger's part that is no text must not take the trusted part of its line with it.
    let values = || {
        let lines = headers.get_all(name).map(HeaderValue::as_bytes);
        lines.flat_map(|line| line.split(|byte| *byte == b','))
    };
    let nth = values().nth(values().count().checked_sub(usize::from(hops))?)?;
    std::str::from_utf8(nth.trim_ascii()).ok().filter(|value| !value.is_empty()).map(str::to_owned)
}

/// An address as proxies write it: bare, with a port, or an IPv6 address in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse().ok().map(|socket: SocketAddr| socket.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok().map(IpAddr::V6);
    text.parse().ok().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderName;

    use super::*;

    fn seen(hops: u8, values: &[&str]) -> String {
        peer(hops, values).address.to_string()
    }

    fn peer(hops: u8, values: &[impl AsRef<[u8]>]) -> Peer {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                HeaderName::from_static("x-forwarded-for"),
                HeaderValue::from_bytes(value.as_ref()).unwrap(),
            );
        }
        let defaults = msp_settings::Settings::load(&msp_settings::Sources::default()).unwrap();
        let proxy = ProxySettings { forward_for: hops, ..defaults.proxy };
        Peer::from_headers("192.0.2.9".parse().unwrap(), &headers, &proxy)
    }

    #[test]
    fn share_point_20_the_nth_value_from_the_right_counts_when_there_are_n() {
        assert_eq!(seen(2, &["10.0.0.1, 10.0.0.2, 10.0.0.3"]), "10.0.0.2");
        assert_eq!(seen(2, &["10.0.0.1", "10.0.0.2,10.0.0.3"]), "10.0.0.2");
        assert_eq!(seen(2, &["10.0.0.1"]), "192.0.2.9");
        assert_eq!(seen(0, &["10.0.0.1"]), "192.0.2.9");
        assert_eq!(seen(1, &[]), "192.0.2.9");
    }

    #[test]
    fn whom_a_trusted_proxy_does_not_name_is_the_proxy_itself() {
        for (hops, values, is_hop) in [
            (1, &[][..], true),
            (1, &["unknown"], true),
            (2, &["10.0.0.1"], true),
            (1, &["10.0.0.1"], false),
            (0, &[], false),
            (0, &["10.0.0.1"], false),
        ] {
            assert_eq!(peer(hops, values).is_hop, is_hop, "{hops} {values:?}");
        }
    }

    #[test]
    fn what_a_stranger_writes_that_is_no_text_moves_no_trusted_value() {
        let seen = |values: &[&[u8]]| peer(1, values).address.to_string();
        assert_eq!(seen(&[b"\xff, 10.0.0.1"]), "10.0.0.1");
        assert_eq!(seen(&[b"10.6.6.6", b"\xff, 10.0.0.1"]), "10.0.0.1");
        assert_eq!(seen(&[b"10.6.6.6, \xff"]), "192.0.2.9");
    }

    #[test]
    fn what_is_no_address_is_ignored_and_every_way_to_write_one_is_read() {
        assert_eq!(seen(1, &["unknown"]), "192.0.2.9");
        assert_eq!(seen(1, &["10.0.0.1:4711"]), "10.0.0.1");
        assert_eq!(seen(1, &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(seen(1, &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(seen(1, &["[2001:db8::1]x"]), "192.0.2.9");
        assert_eq!(seen(1, &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(seen(1, &["::ffff:10.0.0.1"]), "10.0.0.1");
    }
}
