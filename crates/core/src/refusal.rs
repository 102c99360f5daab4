//! The true reasons of refusals: for the log, the ring and `msp-admin why`, never for a stranger.

use msp_protocol::DecodeError;

use crate::grant::Denied;

/// How loudly a refusal is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Garbage and the like.
    Info,
    /// Something an operator may want to look at.
    Warning,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// The time of the request is at or below the floor.
    #[error("its time is at or below the floor: it may have been accepted before a restart")]
    BelowFloor,
    /// The body is larger than the limit.
    #[error("the body is larger than [Limits] Body")]
    BodyTooLarge,
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    BodyTooSlow,
    /// The body is not what its headers say.
    #[error("the body cannot be read: {0}")]
    BodyUnreadable(String),
    /// All slots are taken.
    #[error("the function, or the caller's rate, is at its limit")]
    Busy,
    /// `Classic=off`.
    #[error("the classic shape is switched off ([Clients] Classic=off)")]
    ClassicOff,
    /// The client was disabled.
    #[error("the client is disabled")]
    ClientDisabled,
    /// The client has expired.
    #[error("the client has expired")]
    ClientExpired,
    /// Not `application/json`.
    #[error("the Content-Type is not JSON")]
    ContentType,
    /// A control route, asked for by a web page.
    #[error("a web page asked for a route that manages plugins")]
    ControlFromPage,
    /// No permit.
    #[error("{0}: {1}")]
    Denied(Denied, String),
    /// The function failed.
    #[error("the function {0} failed: {1}")]
    FunctionFailed(String, String),
    /// The guard is full.
    #[error("the guard, or the caller's share of it, is full ([Guard] MaxEntries, CallerShare)")]
    GuardFull,
    /// The mark cannot be written.
    #[error("the registry cannot be written, so nothing new can be accepted safely")]
    GuardUnavailable,
    /// No host, more than one, or what is none.
    #[error("it names no host, or more than one")]
    HostMissing,
    /// A host that is none of ours, over plain HTTP.
    #[error("the host {0} is neither an address nor in [network] Hosts nor that of [Server] PublicUrl")]
    HostRefused(String),
    /// A named api key after its time.
    #[error("the api key {0} has expired")]
    KeyExpired(String),
    /// A named api key where it may not stand.
    #[error("the api key {0} stood in the query, and was added without --allow-query")]
    KeyInQuery(String),
    /// No api key where one is asked for.
    #[error("{0} asks for an api key, and there was none")]
    KeyMissing(String),
    /// A named api key whose grants do not cover it.
    #[error("no grant of the api key {0} covers {1}")]
    KeyNotGranted(String, String),
    /// An api key that opens nothing here.
    #[error("the api key that came does not open {0}")]
    KeyUnknown(String),
    /// It cannot be read.
    #[error("malformed: {0}")]
    Malformed(DecodeError),
    /// It is configured, and does not load.
    #[error("no function of this name: {0} ({1}) does not load: {2}")]
    NotLoaded(String, String, String),
    /// One nonce stands twice in it.
    #[error("one nonce stands twice in the request")]
    NonceTwice,
    /// The function gave JSON where the classic shape needs text.
    #[error("the function {0} returned something else than text, which the classic shape cannot carry")]
    NotText(String),
    /// A web page that may not ask.
    #[error("the Origin {0} is neither in [cors] origin_url nor in acl")]
    OriginRefused(String),
    /// It holds a value of one of our own answers.
    #[error("it holds a value taken from one of our own answers")]
    OwnAnswer,
    /// Too many requests.
    #[error("more requests than [Limits] allows this address")]
    RateLimited,
    /// Seen before.
    #[error("a replay: accepted before, or refused before as ahead of its time")]
    Replayed,
    /// The queue of the classic search is full.
    #[error("the queue of the search through classic keys is full")]
    SearchQueueFull,
    /// A linked secret with another key, or an unlinked key with a linked secret.
    #[error("key and secret do not belong together")]
    SecretNotOfKey,
    /// The key is registered, the secret is not.
    #[error("the key is registered, the secret is not")]
    SecretUnknown,
    /// The address has failed too often.
    #[error("the address failed too often and is slowed or banned: only keys seen from it are tried")]
    Slowed,
    /// No registered key opens it.
    #[error("no registered key opens it: a stranger, another server's key, or changed on the way")]
    Stranger,
    /// Plain HTTP where keys would travel in clear.
    #[error("it came without TLS, which this door asks for ([auth] AllowPlain, [Proxy] ForwardProto)")]
    TlsRequired,
    /// It took longer than its limit.
    #[error("the function {0} took longer than its time limit")]
    Timeout(String),
    /// The answer is too large.
    #[error("the answer of the function {0} is larger than its limit")]
    TooLarge(String),
    /// Ahead of the clock.
    #[error("its time is {0} s ahead of the server's clock, more than RequestTTL")]
    TooNew(u64),
    /// Behind the clock.
    #[error("its time is {0} s behind the server's clock, more than RequestTTL")]
    TooOld(u64),
}

impl Reason {
    /// True when the function was run and failed.
    #[must_use]
    pub const fn is_of_the_function(&self) -> bool {
        matches!(self, Self::FunctionFailed(..) | Self::NotText(_) | Self::Timeout(_) | Self::TooLarge(_))
    }

    /// How loudly it is logged: malformed requests quietly, all others as warnings.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::Malformed(DecodeError::Sealed) => Severity::Warning,
            Self::Malformed(_)
            | Self::ContentType
            | Self::BodyTooLarge
            | Self::BodyTooSlow
            | Self::BodyUnreadable(_) => Severity::Info,
            _ => Severity::Warning,
        }
    }
}
