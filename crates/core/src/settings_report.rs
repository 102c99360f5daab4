//! What `msp-server --show-settings` says, as msp-server writes it and msp-admin reads it.

use serde::{Deserialize, Serialize};

/// The settings that are in force, of all doors, and what should be looked at in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingsReport {
    /// Every key of config.ini, in the order of the reference.
    pub settings: Vec<SettingRow>,
    /// What is legal but should be looked at, one line each.
    pub warnings: Vec<String>,
}

/// What is in force for one key; a secret is only said to be there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingRow {
    /// The section.
    pub section: String,
    /// The key.
    pub key: String,
    /// Its text.
    pub value: String,
    /// Where it comes from: file and line, variable, command line, or the built-in default.
    pub origin: String,
}
