//! The configuration from files, environment and command line.
#![allow(clippy::disallowed_methods, clippy::expect_used, clippy::unwrap_used, reason = "tests")]

mod dialect;
mod keys;
mod layers;
mod modules;
mod ops;
mod original;
mod plugin;
mod sample;
mod values;

use std::path::PathBuf;

use msp_settings::{Settings, SettingsError, Sources};
use tempfile::TempDir;

/// A folder with a configuration of its own.
struct Scratch {
    folder: TempDir,
    sources: Sources,
}

impl Scratch {
    /// Without any file: built-in defaults.
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), sources: Sources::default() }
    }

    fn config(mut self, text: &str) -> Self {
        self.sources.config = Some(self.file("config.ini", text));
        self
    }

    fn modules(mut self, text: &str) -> Self {
        self.sources.modules = Some(self.file("modules.ini", text));
        self
    }

    /// A configuration of the original plugin server.
    fn plugins(mut self, text: &str) -> Self {
        self.sources.plugins_config = Some(self.file("plugins.ini", text));
        self
    }

    /// A variable for `${ENV:…}`.
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    fn environment(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn option(mut self, name: &str, value: &str) -> Self {
        self.sources.overrides.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file and gives its path.
    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("the file can be written");
        path
    }

    fn try_load(&self) -> Result<Settings, SettingsError> {
        Settings::load(&self.sources)
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

    fn clean(&self, line: &str) -> String {
        line.replace(&self.folder.path().display().to_string(), "/config")
    }

    fn warnings(&self) -> Vec<String> {
        self.load().warnings.iter().map(|warning| self.clean(warning)).collect()
    }
}
