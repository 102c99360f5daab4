//! One file per command: its arguments, and what it does.

mod apikey;
mod audit;
mod backup;
mod bans;
mod check_config;
pub(crate) mod client;
mod completions;
mod doctor;
mod floor;
mod functions;
pub(crate) mod gen_key;
mod import;
mod man;
mod restore;
mod why;

pub(crate) use apikey::ApiKey;
pub(crate) use audit::Audit;
pub(crate) use backup::Backup;
pub(crate) use bans::Bans;
pub(crate) use check_config::CheckConfig;
pub(crate) use client::Client;
pub(crate) use completions::Completions;
pub(crate) use doctor::Doctor;
pub(crate) use floor::Floor;
pub(crate) use functions::Functions;
pub(crate) use gen_key::GenKey;
pub(crate) use import::Import;
pub(crate) use man::Man;
pub(crate) use restore::Restore;
pub(crate) use why::Why;
