//! The registry's behaviour, on a real database file.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod api_keys;
mod changes;
mod clients;
mod copies;
mod files;
mod fixture;
mod freshness;
mod import;
mod migration;
mod removal;
