//! The operator's command line: `msp-admin`, and the original's `gen_key`, `appendclient` and `purgeclients`.
//!
//! Each binary is one call into this library, and each command one file under `commands`. The registry is
//! changed directly, whether or not a server runs, which takes up the change within a second; what only the
//! server knows or may do goes over its control socket.

mod as_owner;
mod caller;
mod checks;
mod cli;
mod commands;
mod context;
mod control;
mod error;
mod issued_credentials;
mod log_search;
mod options;
mod output;
mod prompt;
mod server_program;
mod times;
mod users;

pub use cli::{appendclient, definitions, gen_key, msp_admin, purgeclients};
