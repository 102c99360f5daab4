//! Why this door refuses.

use msp_core::{Refusal, Severity, TooManyRequests};
use msp_http::{BodyRefusal, UnusableKey};

/// The true reason of a refusal; what a call is refused for that a key opened is `core::CallRefusal`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    /// The body cannot be had.
    #[error("{0}")]
    Body(BodyRefusal),
    /// The body is not what its headers say.
    #[error("the body cannot be read: {0}")]
    BodyUnreadable(String),
    /// A control route, asked for by a web page.
    #[error("a web page asked for a route that manages plugins")]
    ControlFromPage,
    /// No api key where one is asked for.
    #[error("{0} asks for an api key, and there was none")]
    KeyMissing(String),
    /// A named api key whose grants do not cover it.
    #[error("no grant of the api key {0} covers {1}")]
    KeyNotGranted(String, String),
    /// An api key that opens nothing here.
    #[error("the api key that came does not open {0}")]
    KeyUnknown(String),
    /// A named api key that may not be used like this.
    #[error("{0}")]
    KeyUnusable(UnusableKey),
    /// An answer that the connection cannot carry.
    #[error("its answer cannot be sent, or too many are being sent piece by piece")]
    NotSent,
    /// A web page that may not ask.
    #[error("the Origin {0} is neither in [cors] origin_url nor in acl")]
    OriginRefused(String),
    /// Too many requests.
    #[error("{TooManyRequests}")]
    RateLimited,
    /// Plain HTTP where keys would travel in clear.
    #[error("it came without TLS, which this door asks for ([auth] AllowPlain, [Proxy] ForwardProto)")]
    TlsRequired,
}

impl Refusal for Reason {
    fn severity(&self) -> Severity {
        match self {
            Self::Body(_) | Self::BodyUnreadable(_) => Severity::Info,
            _ => Severity::Warning,
        }
    }
}
