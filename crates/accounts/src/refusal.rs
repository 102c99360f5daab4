//! Why a log-in is refused: the whole truth for the log and `msp-admin why`, three answers for whoever asks.

use std::time::Duration;

use msp_core::{RefusedBy, RegistryError};

/// Why somebody is not logged in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogInRefusal {
    /// Too many passwords wait to be looked at.
    #[error("too many passwords are being looked at")]
    Busy,
    /// The password was not looked at.
    #[error("{}", blocked(*by))]
    Blocked {
        /// Whose failures did it.
        by: RefusedBy,
        /// How long from now.
        retry_after: Duration,
    },
    /// The user is switched off.
    #[error("the user {0} is disabled")]
    Disabled(String),
    /// The user's time is over.
    #[error("the user {0} has expired")]
    Expired(String),
    /// The registry does not answer.
    #[error("the registry cannot be read: {0}")]
    Registry(String),
    /// A personal token after its time.
    #[error("the token {label} of the user {user} has expired")]
    TokenExpired {
        /// Whose.
        user: String,
        /// What it is called.
        label: String,
    },
    /// A token that stands for nobody, or no longer does.
    #[error("nobody is logged in by this token, or no longer")]
    TokenUnknown,
    /// Attempts that are held for a second wait in a line of their own, which is full.
    #[error("too many attempts for this account or from this address are held for a second already")]
    TooManyHeld,
    /// There are as many sessions as there may be.
    #[error("there are as many sessions as there may be")]
    TooManySessions,
    /// There is no user of this name.
    #[error("there is no user {0}")]
    UnknownUser(String),
    /// It is not the user's password.
    #[error("it is not the password of the user {0}")]
    WrongPassword(String),
}

/// What whoever asks may know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogInAnswer {
    /// The server has too much to do (503).
    Busy,
    /// Not like this (401): it never says what of it was wrong.
    No,
    /// Not now (429).
    Later(Duration),
}

impl LogInRefusal {
    /// What whoever asks may know of it.
    #[must_use]
    pub const fn answer(&self) -> LogInAnswer {
        match self {
            Self::Busy | Self::Registry(_) | Self::TooManySessions => LogInAnswer::Busy,
            Self::Blocked { retry_after, .. } => LogInAnswer::Later(*retry_after),
            Self::TooManyHeld => LogInAnswer::Later(Duration::from_secs(1)),
            Self::Disabled(_)
            | Self::Expired(_)
            | Self::TokenExpired { .. }
            | Self::TokenUnknown
            | Self::UnknownUser(_)
            | Self::WrongPassword(_) => LogInAnswer::No,
        }
    }
}

impl msp_core::Refusal for LogInRefusal {}

impl From<RegistryError> for LogInRefusal {
    fn from(error: RegistryError) -> Self {
        Self::Registry(error.to_string())
    }
}

const fn blocked(by: RefusedBy) -> &'static str {
    match by {
        RefusedBy::Account => {
            "too many passwords of this account were wrong; it has not logged in from this network lately, so its \
             password was not looked at (msp-admin bans lift --account)"
        }
        RefusedBy::Address => {
            "too many passwords from this address were wrong, so this one was not looked at (msp-admin bans lift)"
        }
    }
}
