//! The library against a server in miniature, and the program as a person runs it.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod calls;
mod program;
mod server;
