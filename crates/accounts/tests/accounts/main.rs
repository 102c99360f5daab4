//! Accounts over the real registry and the real guard, with a clock moved by hand.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unreachable,
    clippy::unwrap_used,
    reason = "tests"
)]

mod attempts;
mod fixture;
mod passwords;
mod tokens;
