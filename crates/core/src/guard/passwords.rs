//! Passwords that failed, counted apart from everything else that fails.

use std::net::IpAddr;
use std::time::Duration;

use msp_protocol::Digest;
use serde::{Deserialize, Serialize};

use crate::soon::Soon;

/// An attempt to log in by a password.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The digest of the name, as it was sent.
    pub account: &'a Digest,
    /// Whether there is a user of this name: those have slots of their own.
    pub exists: bool,
    /// Where it comes from.
    pub address: IpAddr,
    /// Whether that is a trusted hop, which stands for many.
    pub is_hop: bool,
    /// Whether this user has logged in from this network lately.
    pub is_known: bool,
}

/// What an attempt is refused by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusedBy {
    /// Failures of the account.
    Account,
    /// Failures of the address.
    Address,
}

/// How an attempt is to be treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptStanding {
    /// Its password is looked at.
    Free,
    /// Its password is looked at after a second, alone.
    Held,
    /// Its password is not looked at.
    Refused {
        /// Whose failures did it.
        by: RefusedBy,
        /// How long from now.
        retry_after: Duration,
    },
}

/// Whose passwords are refused, or held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasswordBan {
    /// Whose.
    pub of: PasswordBanOf,
    /// Failures counted.
    pub failures: u32,
    /// Seconds until it ends.
    pub remaining_sec: u64,
}

/// Whose passwords are refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PasswordBanOf {
    /// Of the account whose name has this digest (hexadecimal); from networks that are not known.
    Account(String),
    /// Of this address, or /64 of an IPv6 address.
    Address(String),
}

/// Counts passwords that failed, and says how attempts are to be treated (docs/PROTOCOL.md, accounts 9 to 12).
pub trait Passwords: Send + Sync {
    /// How this attempt is to be treated. One that is free when it is not known is free when it is.
    fn judge<'a>(&'a self, attempt: Attempt<'a>) -> Soon<'a, AttemptStanding>;
    /// Counts an attempt whose password was looked at and was wrong.
    fn failed<'a>(&'a self, attempt: Attempt<'a>) -> Soon<'a, ()>;
    /// Forgets the account's failures, and takes them off the address's.
    fn succeeded<'a>(&'a self, attempt: Attempt<'a>) -> Soon<'a, ()>;
    /// Whose passwords are refused or held now, what ends first in front.
    fn password_bans(&self) -> Soon<'_, Vec<PasswordBan>>;
    /// Forgets an address's failures; false when nothing of it was refused or held.
    fn lift_address(&self, address: IpAddr) -> Soon<'_, bool>;
    /// Forgets an account's failures; false when nothing of it was refused or held.
    fn lift_account<'a>(&'a self, account: &'a Digest) -> Soon<'a, bool>;
}

/// When passwords are refused, as `[Accounts]` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordLimits {
    /// Failures of an address or an account that are free.
    pub failures: u32,
    /// How long without a failure until a count is forgotten.
    pub reset: Duration,
    /// How long an address is refused.
    pub block: Duration,
}

impl Default for PasswordLimits {
    fn default() -> Self {
        Self { failures: 5, reset: Duration::from_secs(600), block: Duration::from_secs(3600) }
    }
}
