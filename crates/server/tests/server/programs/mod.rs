//! The real programs against each other.

mod admin;
mod clients;
mod lifecycle;
mod start;
mod wasm;
