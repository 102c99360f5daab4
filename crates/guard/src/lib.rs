//! What is short-lived: seen nonces, address sightings, failures and bans.
//!
//! [`MemoryGuard`] keeps all of it in the server's memory, and in the registry only the marks by which an
//! accepted request is refused after a restart.

mod address;
mod clients;
mod config;
mod failures;
mod fresh;
mod keeper;
mod lock;
mod memory;
mod replay;
mod sightings;
mod told;

pub use config::MemoryGuardConfig;
pub use memory::MemoryGuard;
