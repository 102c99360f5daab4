//! The sealed door's wire format: both shapes, keys, names, error codes.
//!
//! No I/O, no clock, no async; randomness is passed in. Server and client compile the same messages, and
//! `docs/PROTOCOL.md` says the same in words.

mod body;
pub mod checksum;
pub mod classic;
pub mod encoding;
pub mod enrolment;
pub mod envelope;
mod error;
mod json_object;
mod keys;
mod names;
pub mod sealing;

pub use body::Body;
pub use crypto_box::aead::{
    OsRng,
    rand_core::{CryptoRngCore, RngCore},
};
pub use error::{DecodeError, ErrorCode, KeyError};
pub use keys::{ApiKey, Digest, PrivateKey, PublicKey, Secret, SecretError};
pub use names::{ClientName, FunctionName, NameError, UserName};

/// A moment in whole seconds since 1970-01-01T00:00:00Z (Unix time).
pub type UnixSecond = u64;
