//! What tests of several crates share: the real server in a folder of its own, callers that pack their requests by hand,
//! the programs as an operator starts them, and for each store's trait one suite of behaviour that every implementation
//! must pass. Never shipped.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be prepared has failed"
)]

mod caller;
mod machine;
mod peer;
mod program;
mod requests;
mod server;
pub mod suites;

pub use caller::{Answered, Caller, new_client};
pub use machine::{http, http_from, now, program_path, until};
pub use peer::Peer;
pub use program::{Program, ProgramFolder, stdout};
pub use server::{NOW, ServerBuilder, TestServer};
