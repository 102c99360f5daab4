//! What must survive: clients, secrets, api keys, users, grants, audit and freshness marks, on SQLite.
//!
//! [`SqlRegistry`] is core's [`Registry`](msp_core::Registry). Every change is one transaction that is durable when it
//! returns, raises the generation that servers follow, and leaves its line in the audit table.

mod api_keys;
mod audit;
mod backup;
mod clients;
mod error;
mod freshness;
mod import;
pub mod inspect;
mod open;
mod original_files;
mod reading;
mod removal;
mod rows;
mod sqlite;
mod transaction;
mod users;

pub use open::SqlRegistry;
pub use original_files::OriginalFiles;
