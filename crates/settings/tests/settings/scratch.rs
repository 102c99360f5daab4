//! A folder with a configuration of its own, for the tests of all crates that read one.
#![allow(dead_code, reason = "each of them uses a part")]

use std::path::PathBuf;

use msp_settings::Sources;
use tempfile::TempDir;

/// A folder with a configuration of its own.
pub(crate) struct Scratch {
    pub(crate) folder: TempDir,
    pub(crate) sources: Sources,
}

impl Scratch {
    /// Without any file: built-in defaults.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), sources: Sources::default() }
    }

    pub(crate) fn config(mut self, text: &str) -> Self {
        self.sources.config = Some(self.file("config.ini", text));
        self
    }

    pub(crate) fn modules(mut self, text: &str) -> Self {
        self.sources.modules = Some(self.file("modules.ini", text));
        self
    }

    /// A configuration of the original plugin server.
    pub(crate) fn plugins(mut self, text: &str) -> Self {
        self.sources.plugins_config = Some(self.file("plugins.ini", text));
        self
    }

    /// A variable for `${ENV:…}`.
    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn environment(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn option(mut self, name: &str, value: &str) -> Self {
        self.sources.overrides.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes a file and gives its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(crate) fn clean(&self, line: &str) -> String {
        line.replace(&self.folder.path().display().to_string(), "/config")
    }
}
