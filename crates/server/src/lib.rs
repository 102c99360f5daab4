//! The mini-share-point server: doors over one core.
//!
//! [`Server::build`] opens and binds what the settings name, [`Server::run`] serves until told to stop.

mod assembly;
mod background;
mod body;
mod check;
mod cli;
mod connections;
mod doors;
mod error;
mod follower;
#[doc(hidden)]
pub mod fuzzing;
mod healthcheck;
mod hosts;
mod isolation;
mod peer;
mod problem;
mod readiness;
mod reloader;
mod startup;
pub mod telemetry;
mod tls;

pub use check::check;
pub use cli::Cli;
pub use connections::raise_file_limit;
pub use doors::ExposedDocuments;
pub use error::StartupError;
pub use healthcheck::healthcheck;
pub use msp_runners::run_confined;
pub use startup::{Server, ServerHandle};
pub use tls::TlsError;
