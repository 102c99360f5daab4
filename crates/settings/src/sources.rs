//! Where the configuration comes from.

use std::path::PathBuf;

/// Everything that may hold settings, read from the process once.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The config.ini of the command line (`--config`).
    pub config: Option<PathBuf>,
    /// The modules.ini of the command line (`--modules`).
    pub modules: Option<PathBuf>,
    /// Settings of the command line, as `section.key` and value.
    pub overrides: Vec<(String, String)>,
    /// Environment variables; those that are not ours are ignored.
    pub environment: Vec<(String, String)>,
}

impl Sources {
    /// Adds this process's environment to what the command line says.
    #[must_use]
    pub fn from_process(
        config: Option<PathBuf>,
        modules: Option<PathBuf>,
        overrides: Vec<(String, String)>,
    ) -> Self {
        let ours = |name: &str| name == "PYTHONPATH" || name.to_ascii_uppercase().starts_with("MSP_");
        let environment = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .filter(|(name, _)| ours(name))
            .collect();
        Self { config, modules, overrides, environment }
    }

    /// The config.ini and the modules.ini to read, which may not exist (yet).
    #[must_use]
    pub fn files(&self) -> [PathBuf; 2] {
        [self.config_file().path, self.modules_file().path]
    }

    /// The config.ini to read: the one that is named and by what, else the default path.
    pub(crate) fn config_file(&self) -> NamedFile {
        self.file(self.config.as_ref(), "--config", "MSP_CONFIG_PATH", "config/config.ini")
    }

    /// The modules.ini to read, likewise.
    pub(crate) fn modules_file(&self) -> NamedFile {
        self.file(self.modules.as_ref(), "--modules", "MSP_MODCONF_PATH", "config/modules.ini")
    }

    /// The value of a variable of the original's; an empty one counts as not set.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(variable, _)| variable == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn file(
        &self,
        option: Option<&PathBuf>,
        flag: &'static str,
        variable: &'static str,
        default: &str,
    ) -> NamedFile {
        let from_variable = || self.variable(variable).map(|path| (PathBuf::from(path), Some(variable)));
        let named = option.map(|path| (path.clone(), Some(flag))).or_else(from_variable);
        let (path, named_by) = named.unwrap_or_else(|| (PathBuf::from(default), None));
        NamedFile { path, named_by }
    }
}

/// A file to read, and the option or variable that names it; without one it may be missing.
#[derive(Debug)]
pub(crate) struct NamedFile {
    pub(crate) path: PathBuf,
    pub(crate) named_by: Option<&'static str>,
}
