//! Where a web page comes from, in its one spelling.

use url::{Host, Origin, Url};

/// An origin: scheme, host and port. Names of hosts are in ASCII, the scheme's own port is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebOrigin {
    text: String,
    host: String,
}

impl WebOrigin {
    /// Reads an origin in any of its spellings; none for what is no origin.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
        // The library would read past most of these.
        let stray = |c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '/' | '\\' | '?' | '#' | '@' | '*' | ',' | '%')
        };
        if !is_scheme || authority.is_empty() || authority.contains(stray) {
            return None;
        }
        let origin = Url::parse(text).ok()?.origin();
        if let Origin::Tuple(_, host, _) = &origin {
            return Some(Self { text: origin.ascii_serialization(), host: host.to_string() });
        }
        // An application's own scheme: its hosts are names of its own.
        let authority = authority.to_lowercase();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host.to_owned(),
            _ => authority.clone(),
        };
        Some(Self { text: format!("{}://{authority}", scheme.to_ascii_lowercase()), host })
    }

    /// The origin as browsers write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its host, in lower case.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// A host's name in its one spelling: ASCII, lower case; none for what is no host.
#[must_use]
pub fn host_name(text: &str) -> Option<String> {
    // The library would decode it, and ours is not encoded.
    let host = if text.contains('%') { None } else { Host::parse(text).ok() };
    host.map(|host| host.to_string())
}

/// The host that a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedHost(Host<String>);

impl AskedHost {
    /// Reads a `Host` header, with a port or without; none for what names no host.
    #[must_use]
    pub fn parse(authority: &str) -> Option<Self> {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
            _ => authority,
        };
        if host.contains('%') {
            return None;
        }
        Host::parse(host.strip_suffix('.').unwrap_or(host)).ok().map(Self)
    }

    /// True for what no page can make another address of: an address itself, and the names of the machine itself.
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        match &self.0 {
            Host::Ipv4(_) | Host::Ipv6(_) => true,
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }

    /// Its name, in ASCII and lower case; an IPv6 address in brackets.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_one_spelling() {
        for (written, read) in [
            ("https://app.example.net:443", "https://app.example.net"),
            ("http://app.example.net:80", "http://app.example.net"),
            ("http://app.example.net:443", "http://app.example.net:443"),
            ("HTTPS://App.Example.Net", "https://app.example.net"),
            ("https://küche.example.net", "https://xn--kche-0ra.example.net"),
            ("https://KÜCHE.example.net:443", "https://xn--kche-0ra.example.net"),
            ("http://[2001:DB8:0::1]:80", "http://[2001:db8::1]"),
            ("App://Local:80", "app://local:80"),
        ] {
            assert_eq!(WebOrigin::parse(written).unwrap().as_str(), read, "{written}");
        }
    }

    #[test]
    fn a_host_is_read_with_its_port_and_told_from_addresses_and_names_of_the_machine() {
        for (written, name, is_fixed) in [
            ("127.0.0.1:8000", "127.0.0.1", true),
            ("[::1]", "[::1]", true),
            ("[2001:DB8::1]:8000", "[2001:db8::1]", true),
            ("LocalHost", "localhost", true),
            ("localhost.:8000", "localhost", true),
            ("a.localhost", "a.localhost", true),
            ("notlocalhost", "notlocalhost", false),
            ("localhost.evil.net", "localhost.evil.net", false),
            ("127.0.0.1.evil.net", "127.0.0.1.evil.net", false),
            ("K\u{fc}che.example:443", "xn--kche-0ra.example", false),
        ] {
            let host = AskedHost::parse(written).unwrap();
            assert_eq!((host.name().as_str(), host.is_fixed()), (name, is_fixed), "{written}");
        }
        for none in [
            "",
            ":80",
            "a b",
            "a/b",
            "user@localhost",
            "loc%61lhost",
            "::1",
            "[::1",
            "a:b",
            "localhost:80:80",
        ] {
            assert_eq!(AskedHost::parse(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_no_origin_is_none() {
        for none in [
            "",
            "null",
            "app.example.net",
            "https://",
            "https://a.example/",
            "https://user@a.example",
            "https://a.example b.example",
            "https://a.example,https://b.example",
            "https://a%2eexample",
            "https://a.example?x",
            "blob:https://a.example",
            "https://a.example:99999",
        ] {
            assert_eq!(WebOrigin::parse(none), None, "{none}");
        }
    }
}
