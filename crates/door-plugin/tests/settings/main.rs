//! The door's sections, and the files of the original plugin server.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod dialect;
mod original;
mod plugin;
#[path = "../../../settings/tests/settings/scratch.rs"]
mod scratch;

use std::ops::Deref;

use msp_door_plugin::{KEYS, PluginSettings};
use msp_settings::{KeyTable, Loaded, Settings, SettingsError};

use crate::scratch::Scratch;
// It is for scratch.rs.
use tempfile as _;

/// The settings of the core and of the door.
#[derive(Debug)]
struct Read {
    settings: Settings,
    plugin: Option<PluginSettings>,
}

impl Deref for Read {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl Scratch {
    fn try_load(&self) -> Result<Read, SettingsError> {
        let loaded = Loaded::load(&self.sources, &KeyTable::with_doors(&[KEYS]))?;
        let mut settings = Settings::read(&loaded)?;
        let plugin = PluginSettings::read(&loaded, settings.doors, &mut settings.warnings)?;
        Ok(Read { settings, plugin })
    }

    fn load(&self) -> Read {
        self.try_load().expect("a legal configuration")
    }

    /// The one line for the operator, with the temporary folder replaced.
    fn refusal(&self) -> String {
        let line = self.clean(&self.try_load().expect_err("a mistake").to_string());
        assert!(!line.chars().any(char::is_control), "one line: {line:?}");
        line
    }

    fn warnings(&self) -> Vec<String> {
        self.load().warnings.iter().map(|warning| self.clean(warning)).collect()
    }
}
