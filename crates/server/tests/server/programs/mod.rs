//! The real programs against each other.

mod admin;
pub(crate) mod clients;
mod lifecycle;
mod start;
mod wasm;
