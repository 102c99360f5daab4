//! The address that a caller used, as far as trusted proxies say: what of it plugins and documents are told.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::peer::Peer;

/// The listener that requests come to.
#[derive(Debug, Clone, Copy)]
pub struct Listening {
    /// Whether it speaks TLS.
    pub has_tls: bool,
    /// The address that it is bound to, whatever the settings say since.
    pub bound: IpAddr,
}

impl Listening {
    /// True when nobody on the way can read the request: TLS of ours or of a trusted proxy, or the machine itself,
    /// unless such a proxy says that it came to it in clear.
    #[must_use]
    pub fn is_private(&self, peer: &Peer) -> bool {
        self.is_secure(peer) || peer.scheme.is_none() && self.bound.is_loopback()
    }

    /// True when it came through TLS, of ours or of a trusted proxy.
    #[must_use]
    pub fn is_secure(&self, peer: &Peer) -> bool {
        let through_proxy = peer.scheme.as_ref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        self.has_tls || through_proxy
    }

    /// The host that the caller asked for, with its port unless the scheme has it anyway.
    #[must_use]
    pub fn host(&self, request: &HttpRequest, peer: &Peer) -> String {
        let named = || request.headers().get(header::HOST)?.to_str().ok().map(str::to_owned);
        let authority = || request.uri().authority().map(ToString::to_string);
        let host = peer.host.clone().or_else(named).or_else(authority).unwrap_or_default();
        match peer.port {
            Some(port) => at_port(&host, port, self.is_secure(peer)),
            None => host,
        }
    }
}

impl Peer {
    /// The path under which a proxy serves this server: empty, or with a slash before it and none behind it.
    #[must_use]
    pub fn path_prefix(&self) -> &str {
        self.prefix.as_deref().and_then(prefix).unwrap_or_default()
    }
}

/// The host with this port instead of what port it has.
fn at_port(host: &str, port: u16, is_secure: bool) -> String {
    let name = match host.rsplit_once(':') {
        // What follows the last colon of an address in brackets is no port.
        Some((name, port)) if !host.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    match (port, is_secure) {
        _ if name.is_empty() => String::new(),
        (443, true) | (80, false) => name.to_owned(),
        _ => format!("{name}:{port}"),
    }
}

/// A prefix that can stand before a path in an address; what is none counts for nothing.
fn prefix(text: &str) -> Option<&str> {
    let text = text.trim_end_matches('/');
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@%".contains(&byte);
    // Two slashes at its beginning would be another host.
    let is_path = text.starts_with('/') && !text.starts_with("//");
    (is_path && text.bytes().all(legal)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_of_a_proxy_takes_the_place_of_another_unless_the_scheme_has_it() {
        for (host, port, is_secure, expected) in [
            ("a.example", 8443, true, "a.example:8443"),
            ("a.example:8000", 8443, true, "a.example:8443"),
            ("a.example:8000", 443, true, "a.example"),
            ("a.example", 80, false, "a.example"),
            ("a.example", 443, false, "a.example:443"),
            ("[::1]", 8000, false, "[::1]:8000"),
            ("[::1]:9", 8000, false, "[::1]:8000"),
            ("", 8000, false, ""),
        ] {
            assert_eq!(at_port(host, port, is_secure), expected, "{host} {port}");
        }
    }

    #[test]
    fn a_prefix_is_a_path_or_nothing() {
        for (text, expected) in [("/msp", "/msp"), ("/a/b/", "/a/b"), ("/%C3%BC", "/%C3%BC")]
            .map(|(text, path)| (text, Some(path)))
        {
            assert_eq!(prefix(text), expected, "{text}");
        }
        for none in ["", "/", "msp", "//evil.net", "/a b", "/a?b", "/a#b", "/\"", "/ü", "https://evil.net"] {
            assert_eq!(prefix(none), None, "{none}");
        }
    }
}
