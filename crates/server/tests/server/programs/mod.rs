//! The real programs against each other.

mod admin;
mod checks;
pub(crate) mod clients;
mod follow;
mod lifecycle;
mod log;
mod mistakes;
mod start;
mod wasm;
