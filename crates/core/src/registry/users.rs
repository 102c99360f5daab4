//! Users: who logs in by name and password, and what stands for that, as servers read it and the operator changes it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use msp_protocol::{ClientName, Digest, UnixSecond, UserName};
use serde::{Deserialize, Serialize};

use super::error::RegistryError;
use crate::BoxFuture;
use crate::grant::Grants;

/// What a user is, for what is no function of the catalogue; and its grants, as long as none are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads and writes everything that users may reach.
    Full,
    /// Has the standard grants.
    Normal,
}

impl Role {
    /// Each of them.
    pub const ALL: [Self; 2] = [Self::Full, Self::Normal];

    /// `full` or `normal`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Normal => "normal",
        }
    }

    /// What it may call.
    #[must_use]
    pub fn grants(self) -> Grants {
        match self {
            Self::Full => Grants::everything(),
            Self::Normal => Grants::Standard,
        }
    }
}

/// A user as the server needs it.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// What stands for the user: SHA-256 of 16 random bytes. A name that is used again has another.
    pub id: Digest,
    /// The unique name.
    pub name: UserName,
    /// Argon2id of the password, as PHC text.
    pub password: Arc<str>,
    /// What the user is.
    pub role: Role,
    /// What the user may call instead of what the role gives.
    pub listed: Option<Grants>,
    /// Rises whenever what was logged in under it is to end.
    pub epoch: u64,
    /// The second from which the user is refused.
    pub expires: Option<UnixSecond>,
    /// Whether the operator has switched the user off.
    pub disabled: bool,
    /// When the user was added.
    pub added: UnixSecond,
    /// The day of the last call, as the Unix second at its start (UTC).
    pub last_used: Option<UnixSecond>,
}

impl UserRecord {
    /// What the user may call.
    #[must_use]
    pub fn grants(&self) -> Grants {
        self.listed.clone().unwrap_or_else(|| self.role.grants())
    }

    /// Whether the user may do anything at this second.
    #[must_use]
    pub fn is_open(&self, now: UnixSecond) -> bool {
        !self.disabled && self.expires.is_none_or(|expires| now < expires)
    }
}

impl fmt::Debug for UserRecord {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, role, epoch, expires, disabled, .. } = self;
        f.debug_struct("UserRecord")
            .field("name", name)
            .field("role", role)
            .field("epoch", epoch)
            .field("expires", expires)
            .field("disabled", disabled)
            .finish_non_exhaustive()
    }
}

/// What `user add` brings.
#[derive(Clone)]
pub struct NewUser {
    /// What is to stand for the user.
    pub id: Digest,
    /// The unique name.
    pub name: UserName,
    /// Argon2id of the password, as PHC text.
    pub password: Arc<str>,
    /// What the user is.
    pub role: Role,
    /// What the user may call instead of what the role gives.
    pub listed: Option<Grants>,
    /// The second from which the user is refused.
    pub expires: Option<UnixSecond>,
}

/// What the operator changes of a user.
#[derive(Clone)]
pub enum UserChange {
    /// Switches the user off, or on again. Off raises the epoch.
    Disabled(bool),
    /// Ends everything that is logged in: raises the epoch.
    EndSessions,
    /// Sets or takes away the second from which the user is refused.
    Expires(Option<UnixSecond>),
    /// Lists what the user may call, or gives back what the role gives.
    Grants(Option<Grants>),
    /// Sets another password, as PHC text, which raises the epoch.
    Password {
        /// Argon2id of it.
        hash: Arc<str>,
        /// Whether the user's tokens are revoked as well.
        end_tokens: bool,
    },
    /// Gives another role, which raises the epoch.
    Role(Role),
}

/// A personal token: what a script of the user's presents instead of name and password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserToken {
    /// SHA-256 of its text.
    pub digest: Digest,
    /// Whose it is.
    pub user: Digest,
    /// What the user calls it; unique for the user.
    pub label: ClientName,
    /// The second from which it is refused.
    pub expires: Option<UnixSecond>,
    /// When it was made.
    pub added: UnixSecond,
    /// The day of its last use, as the Unix second at its start (UTC).
    pub last_used: Option<UnixSecond>,
}

/// What `user token add` brings.
#[derive(Debug, Clone)]
pub struct NewUserToken {
    /// SHA-256 of its text.
    pub digest: Digest,
    /// What the user calls it.
    pub label: ClientName,
    /// The second from which it is refused.
    pub expires: Option<UnixSecond>,
}

/// What somebody logged in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// A registered key.
    Certificate,
    /// Name and password.
    Password,
    /// A personal token.
    Token,
}

impl Way {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Certificate, Self::Password, Self::Token];

    /// One lower-case word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Password => "password",
            Self::Token => "token",
        }
    }
}

/// Where somebody logs in from, as wide as one place is: the /24 of an IPv4 address, the /48 of an IPv6 address, or
/// this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogInNetwork(Option<IpAddr>);

impl LogInNetwork {
    /// The network of an address; an IPv4 address mapped into IPv6 counts as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            address if address.is_loopback() => None,
            IpAddr::V4(v4) => Some(Ipv4Addr::from_bits(v4.to_bits() & 0xffff_ff00).into()),
            IpAddr::V6(v6) => Some(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 80)).into()),
        })
    }
}

impl fmt::Display for LogInNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("loopback"),
            Some(IpAddr::V4(v4)) => write!(f, "{v4}/24"),
            Some(IpAddr::V6(v6)) => write!(f, "{v6}/48"),
        }
    }
}

/// One log-in, or one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LogIn {
    /// Who.
    pub user: Digest,
    /// From where.
    pub network: LogInNetwork,
    /// By what.
    pub way: Way,
}

/// What is known of a user's log-ins from one network in one way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogInRow {
    /// The network, as [`LogInNetwork`] is written.
    pub network: String,
    /// The way.
    pub way: Way,
    /// The first that succeeded, to the hour; none when none did.
    pub first: Option<UnixSecond>,
    /// The last that succeeded, to the hour.
    pub last: Option<UnixSecond>,
    /// How many failed since the last that succeeded.
    pub failures: u64,
}

/// The rows kept of one user's log-ins.
pub const MAX_LOG_INS: usize = 64;

/// The users. `actor` is who makes a change, for the audit; a change is seen by every server within a second, as the
/// digest of its user among those of [`Changed`](super::Changed).
pub trait Users: Send + Sync {
    /// The user of exactly this name; disabled and expired ones too.
    fn find_user<'a>(
        &'a self,
        name: &'a UserName,
    ) -> BoxFuture<'a, Result<Option<UserRecord>, RegistryError>>;
    /// The user that this stands for.
    fn user_of<'a>(&'a self, id: &'a Digest) -> BoxFuture<'a, Result<Option<UserRecord>, RegistryError>>;
    /// All users by name.
    fn users(&self) -> BoxFuture<'_, Result<Vec<UserRecord>, RegistryError>>;
    /// Adds a user.
    ///
    /// # Errors
    /// [`RegistryError::AlreadyRegistered`] for a name or an id that is in use, [`RegistryError::Tombstone`] for the id
    /// of a user that was removed.
    fn add_user<'a>(&'a self, new: &'a NewUser, actor: &'a str) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Changes a user, and gives it back as it is now.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    fn change_user<'a>(
        &'a self,
        name: &'a UserName,
        change: UserChange,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<UserRecord, RegistryError>>;
    /// Replaces the hash of a password that stays the same, unless it has changed meanwhile; no epoch rises.
    fn rehash_password<'a>(
        &'a self,
        user: &'a Digest,
        old: &'a str,
        new: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Removes a user with everything that hangs on it; the name is free again.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`].
    fn remove_user<'a>(
        &'a self,
        name: &'a UserName,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;

    /// The personal token of this digest.
    fn find_token<'a>(
        &'a self,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<UserToken>, RegistryError>>;
    /// A user's tokens by label, expired ones too.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for the user.
    fn tokens<'a>(&'a self, name: &'a UserName) -> BoxFuture<'a, Result<Vec<UserToken>, RegistryError>>;
    /// Adds a personal token.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for the user, [`RegistryError::AlreadyRegistered`] for a token or a label in use,
    /// [`RegistryError::Tombstone`] for a token that was revoked.
    fn add_token<'a>(
        &'a self,
        name: &'a UserName,
        new: &'a NewUserToken,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Revokes a personal token.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] for the user or the label.
    fn revoke_token<'a>(
        &'a self,
        name: &'a UserName,
        label: &'a ClientName,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>>;

    /// Notes a log-in that succeeded: its row's failures are zero again. Of more than [`MAX_LOG_INS`] rows of a user
    /// those go first that never succeeded, then the ones unused for longest. Of nobody's log-ins nothing is kept.
    fn note_log_in<'a>(&'a self, log_in: &'a LogIn) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Adds failures to their rows. A row that has seen no success takes no room from one that has.
    fn note_failed_log_ins<'a>(
        &'a self,
        failed: &'a [(LogIn, u64)],
    ) -> BoxFuture<'a, Result<(), RegistryError>>;
    /// Whether the user has logged in from there, in whatever way, in the hour of this second or later.
    fn has_logged_in<'a>(
        &'a self,
        user: &'a Digest,
        network: LogInNetwork,
        since: UnixSecond,
    ) -> BoxFuture<'a, Result<bool, RegistryError>>;
    /// A user's rows, the one used last in front.
    fn log_ins<'a>(&'a self, user: &'a Digest) -> BoxFuture<'a, Result<Vec<LogInRow>, RegistryError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_in_network_is_as_wide_as_one_place() {
        for (address, network) in [
            ("127.0.0.2", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("203.0.113.77", "203.0.113.0/24"),
            ("::ffff:203.0.113.9", "203.0.113.0/24"),
            ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ] {
            assert_eq!(LogInNetwork::of(address.parse().unwrap()).to_string(), network, "{address}");
        }
    }
}
