//! The operator's configuration: config.ini, modules.ini, environment, checked once at the door.
//!
//! Built-in default < config.ini < a configuration of the original plugin server < environment (`MSP__SECTION__KEY` and the original's `MSP_…` names) < command
//! line. [`Settings::load`] reads all of it once; every mistake ends in one line that says where it is and what
//! would be right. Each key is defined once ([`mod@keys`], and a door's in its crate), from which the reference is made and what
//! waits for the next start is told.

mod dialect;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod in_force;
mod ini;
mod key;
mod key_table;
pub mod keys;
pub mod kinds;
mod layers;
mod loaded;
mod modules;
mod sections;
mod settings;
mod sources;
mod token;
mod typed;
mod web_origin;

pub use error::SettingsError;
pub use in_force::InForce;
pub use key::{AnyKey, Counts, Definition, Key, Setting};
pub use key_table::{KeyTable, SECTIONS_OF_DOORS};
pub use loaded::Loaded;
pub use sections::{
    ClientsSettings, DoorSettings, GuardSettings, LimitSettings, LogLevel, LogSettings, NetworkSettings,
    OpsSettings, ProxySettings, RegistrySettings, RunnerSettings, ServerSettings, SslSettings,
};
pub use settings::{Effective, Settings};
pub use sources::Sources;
pub use token::Token;
pub use web_origin::{AskedHost, WebOrigin, host_name};
