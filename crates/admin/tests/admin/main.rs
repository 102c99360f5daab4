//! The four programs, run as an operator runs them.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests"
)]

mod api_keys;
mod checks;
mod clients;
mod copies;
mod floor;
mod harness;
mod hostile;
mod original;
mod reference;
mod refusals;
mod why;
