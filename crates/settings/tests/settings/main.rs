//! The configuration from files, environment and command line.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod keys;
mod layers;
mod modules;
mod ops;
mod scratch;
mod values;

use msp_settings::{KeyTable, Loaded, Settings, SettingsError};

use crate::scratch::Scratch;

impl Scratch {
    fn try_load(&self) -> Result<Settings, SettingsError> {
        Settings::read(&Loaded::load(&self.sources, &KeyTable::with_doors(&[]))?)
    }

    fn load(&self) -> Settings {
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
