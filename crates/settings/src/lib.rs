//! The operator's configuration: config.ini, modules.ini, environment, checked once at the door.
//!
//! Built-in default < config.ini < a configuration of the original plugin server < environment (`MSP__SECTION__KEY` and the original's `MSP_…` names) < command
//! line. [`Settings::load`] reads all of it once; every mistake ends in one line that says where it is and what
//! would be right. The keys stand in one table, from which [`reference()`] and [`key_documentation`] are made.

mod cors;
mod dialect;
mod documents;
mod error;
#[doc(hidden)]
pub mod fuzzing;
mod ini;
mod key;
mod keys;
pub mod kinds;
mod layers;
mod modules;
mod plugin;
mod reference;
mod sections;
mod settings;
mod sources;
mod token;
mod typed;
mod web_origin;

pub use cors::CorsSettings;
pub use documents::DocumentsSettings;
pub use error::SettingsError;
pub use key::{AnyKey, Counts, Definition, Key, Setting};
pub use plugin::PluginSettings;
pub use reference::{function_reference, key_documentation, reference};
pub use sections::{
    ClientsSettings, DoorSettings, GuardSettings, LimitSettings, LogLevel, LogSettings, NetworkSettings,
    OpsSettings, ProxySettings, RegistrySettings, RunnerSettings, ServerSettings, SslSettings,
};
pub use settings::{Effective, Settings};
pub use sources::Sources;
pub use token::Token;
pub use web_origin::{AskedHost, WebOrigin};
