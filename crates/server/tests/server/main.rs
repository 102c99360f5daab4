//! The real server on a port of its own, driven by raw requests and by our client.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod configuration;
mod faults;
mod isolation;
mod plugin;
mod programs;
#[path = "../../../settings/tests/settings/scratch.rs"]
mod scratch;
mod sealed;
mod sixth_door;
