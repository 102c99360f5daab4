//! The mini-share-point server: doors over one core.
//!
//! [`Server::build`] opens and binds what the settings name, [`Server::run`] serves until told to stop.

mod assembly;
mod background;
mod check;
mod cli;
mod configuration;
mod doors;
mod error;
mod follower;
mod healthcheck;
mod import;
mod isolation;
mod readiness;
mod reloader;
mod startup;
pub mod telemetry;

pub use check::check;
pub use cli::Cli;
pub use configuration::{Configuration, keys};
pub use error::StartupError;
pub use healthcheck::healthcheck;
pub use msp_http::raise_file_limit;
pub use msp_runners::run_confined;
pub use startup::{Server, ServerHandle};
