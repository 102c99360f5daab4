//! Where a server's sealed door is.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// The address of a sealed door, made from what a person writes.
///
/// `http://host:8000`, `http://host:8000/v1` and `http://host:8000/v1/` are one address; a path before `/v1`, as a
/// proxy may add one, is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// The full URL, ending in `/v1/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// True when the way there is TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub(crate) fn url(&self) -> Url {
        self.0.clone()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let wrong = |reason| AddressError { text: text.escape_debug().to_string(), reason };
        // `box:8000` has the form of a URL, of the scheme `box`.
        if !text.contains("://") && Url::parse(&format!("http://{text}")).is_ok() {
            return Err(wrong("no http:// or https:// before it"));
        }
        let mut url = Url::parse(text).map_err(|_| wrong("not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("not http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            // Not repeated: it holds a password.
            return Err(AddressError { text: "the URL".into(), reason: "it holds a user name or password" });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("it holds a query or a fragment"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        let path = path.strip_suffix("/v1").unwrap_or(&path);
        // The slash at the end is the route of the original server, which redirects without it.
        url.set_path(&format!("{path}/v1/"));
        Ok(Self(url))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// A text that names no sealed door.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}: {reason}; write it as http://host:8000 or https://host")]
pub struct AddressError {
    text: String,
    reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_server_gives_one_address() {
        for (text, expected) in [
            ("http://host:8000", "http://host:8000/v1/"),
            ("http://host:8000/", "http://host:8000/v1/"),
            ("http://host:8000/v1", "http://host:8000/v1/"),
            ("http://host:8000/v1/", "http://host:8000/v1/"),
            ("HTTPS://Host:443/v1", "https://host/v1/"),
            ("https://host/behind/a/proxy", "https://host/behind/a/proxy/v1/"),
            ("https://host/behind/v1/", "https://host/behind/v1/"),
            ("http://[::1]:8000", "http://[::1]:8000/v1/"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap().as_str(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, reason) in [
            ("host:8000", "no http:// or https:// before it"),
            ("host", "no http:// or https:// before it"),
            ("", "not a URL"),
            ("http://", "not a URL"),
            ("ftp://host", "not http:// or https://"),
            ("http://host/?q=1", "it holds a query or a fragment"),
            ("http://host/#part", "it holds a query or a fragment"),
        ] {
            assert_eq!(text.parse::<Address>().unwrap_err().reason, reason, "{text}");
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        let error = "http://user:hunter2@host".parse::<Address>().unwrap_err().to_string();

        assert_eq!(
            error,
            "the URL: it holds a user name or password; write it as http://host:8000 or https://host"
        );
    }
}
