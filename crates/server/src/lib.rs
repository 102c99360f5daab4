//! The mini-share-point server: doors over one core.
//!
//! [`Server::build`] opens and binds what the settings name, [`Server::run`] serves until told to stop.

mod access;
mod background;
mod body;
mod check;
mod cli;
mod connections;
mod directory;
mod doors;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod healthcheck;
mod hosts;
mod isolation;
mod peer;
mod problem;
mod rates;
mod refusals;
mod startup;
mod state;
pub mod telemetry;
mod tls;
mod uses;

pub use check::check;
pub use cli::Cli;
pub use connections::raise_file_limit;
pub use doors::ExposedDocuments;
pub use error::StartupError;
pub use healthcheck::healthcheck;
pub use msp_runners::run_confined;
pub use startup::{Server, ServerHandle};
pub use tls::TlsError;
