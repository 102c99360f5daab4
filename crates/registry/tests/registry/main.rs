//! What every registry must do, and what of that shows in this one's file.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests"
)]

mod files;
mod fixture;
mod migration;
mod original_files;
mod rows;
mod user_rows;

msp_testkit::registry_suite!(fixture::Fixture);
