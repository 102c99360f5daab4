//! What must survive: clients, secrets, api keys, grants, audit and freshness marks, on SQLite.
//!
//! [`SqlRegistry`] implements core's traits for the server and has the verbs of administration beside them. Every
//! change is one transaction that is durable when it returns, raises the generation that servers follow, and leaves
//! its line in the audit table.

mod api_keys;
mod backup;
mod changes;
mod error;
mod freshness;
mod import;
pub mod look;
mod open;
mod reading;
mod removal;
mod rows;
mod sqlite;

pub use import::{ImportReport, Loose};
pub use open::{ServerLock, SqlRegistry};
pub use removal::{Purged, Selector};
