//! What is short-lived: seen nonces, address sightings, failures and bans, sessions.
//!
//! [`MemoryGuard`] keeps all of it in the server's memory, and in the registry only the marks by which an
//! accepted request is refused after a restart.

mod clients;
mod config;
mod failures;
mod lock;
mod log_ins;
mod mark_writer;
mod memory;
mod once;
mod passwords;
mod replay;
mod replay_rules;
mod sessions;
mod sightings;
mod told_once;
mod work;

pub use config::MemoryGuardConfig;
pub use memory::MemoryGuard;
