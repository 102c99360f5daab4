//! Users who log in: what a password or a token proves, and how attempts are treated (docs/PROTOCOL.md, accounts).
//!
//! A door hands over what came and learns who it is, or why not. Users live in the registry and are remembered here;
//! sessions and counts of failures live in the guard.

mod accounts;
mod attempt;
mod directory;
mod hashing;
mod log_ins;
mod password;
mod refusal;
mod token;
mod turns;
mod verified;

pub use accounts::{Accounts, AccountsConfig, From, Parts, Proof, Proven};
pub use hashing::hash;
pub use password::{MAX_BYTES, MIN_CHARACTERS, Password, PasswordError};
pub use refusal::{LogInAnswer, LogInRefusal};
pub use token::{NewToken, digest_of};
