//! The runners with real processes, as the server uses them.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod asynchronous;
mod builtin;
mod executable;
mod faults;
mod loading;
mod python;
mod reload;
mod support;
mod systeminfo;
mod wasm;
