//! Why this door refuses, before there is a call.

use msp_core::{Refusal, Severity, TooManyRequests};
use msp_protocol::DecodeError;

use msp_http::BodyRefusal;

/// The true reason of a refusal; what a proven caller's call is refused for is `core::CallRefusal`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Reason {
    /// The time of the request is at or below the floor.
    #[error("its time is at or below the floor: it may have been accepted before a restart")]
    BelowFloor,
    /// The body cannot be had.
    #[error("{0}")]
    Body(BodyRefusal),
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
    /// The guard is full.
    #[error("the guard, or the caller's share of it, is full ([Guard] MaxEntries, CallerShare)")]
    GuardFull,
    /// The mark cannot be written.
    #[error("the registry cannot be written, so nothing new can be accepted safely")]
    GuardUnavailable,
    /// It cannot be read.
    #[error("malformed: {0}")]
    Malformed(DecodeError),
    /// One nonce stands twice in it.
    #[error("one nonce stands twice in the request")]
    NonceTwice,
    /// It holds a value of one of our own answers.
    #[error("it holds a value taken from one of our own answers")]
    OwnAnswer,
    /// Too many requests.
    #[error("{TooManyRequests}")]
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
    /// Ahead of the clock.
    #[error("its time is {0} s ahead of the server's clock, more than RequestTTL")]
    TooNew(u64),
    /// Behind the clock.
    #[error("its time is {0} s behind the server's clock, more than RequestTTL")]
    TooOld(u64),
}

impl Refusal for Reason {
    /// Malformed requests quietly, all others as warnings.
    fn severity(&self) -> Severity {
        match self {
            Self::Malformed(DecodeError::Sealed) => Severity::Warning,
            Self::Body(_) | Self::ContentType | Self::Malformed(_) => Severity::Info,
            _ => Severity::Warning,
        }
    }
}
