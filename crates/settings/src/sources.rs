//! Where the configuration comes from.

use std::fmt;
use std::path::PathBuf;

/// Everything that may hold settings, read from the process once.
///
/// Environment and command line may hold keys, so `Debug` shows only the names there.
#[derive(Clone, Default)]
pub struct Sources {
    /// The config.ini of the command line (`--config`).
    pub config: Option<PathBuf>,
    /// The modules.ini of the command line (`--modules`).
    pub modules: Option<PathBuf>,
    /// A configuration of the original plugin server, of the command line (`--plugins-config`).
    pub plugins_config: Option<PathBuf>,
    /// Settings of the command line, as `section.key` and value.
    pub overrides: Vec<(String, String)>,
    /// Environment variables; those that are not ours are ignored.
    pub environment: Vec<(String, String)>,
    /// What `${ENV:NAME}` may stand for: all variables, ours or not.
    pub variables: Vec<(String, String)>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |pairs: &[(String, String)]| pairs.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        f.debug_struct("Sources")
            .field("config", &self.config)
            .field("modules", &self.modules)
            .field("plugins_config", &self.plugins_config)
            .field("overrides", &names(&self.overrides))
            .field("environment", &names(&self.environment))
            .finish_non_exhaustive()
    }
}

impl Sources {
    /// Adds this process's environment to what the command line says.
    #[must_use]
    pub fn from_process(
        config: Option<PathBuf>,
        modules: Option<PathBuf>,
        plugins_config: Option<PathBuf>,
        overrides: Vec<(String, String)>,
    ) -> Self {
        let ours = |name: &str| name == "PYTHONPATH" || name.to_ascii_uppercase().starts_with("MSP_");
        let variables: Vec<(String, String)> = std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect();
        let environment = variables.iter().filter(|(name, _)| ours(name)).cloned().collect();
        Self { config, modules, plugins_config, overrides, environment, variables }
    }

    /// The files to read, which may not exist (yet): config.ini, modules.ini, and the plugin server's if it is named.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let plugins = self.plugins_file();
        [self.config_file(), self.modules_file()].into_iter().chain(plugins).map(|file| file.path).collect()
    }

    /// The config.ini to read: the one that is named and by what, else the default path.
    pub(crate) fn config_file(&self) -> NamedFile {
        self.file(self.config.as_ref(), "--config", "MSP_CONFIG_PATH", "config/config.ini")
    }

    /// The modules.ini to read, likewise.
    pub(crate) fn modules_file(&self) -> NamedFile {
        self.file(self.modules.as_ref(), "--modules", "MSP_MODCONF_PATH", "config/modules.ini")
    }

    /// The configuration of the original plugin server to read, if one is named.
    pub(crate) fn plugins_file(&self) -> Option<NamedFile> {
        let named = |path: &PathBuf| NamedFile { path: path.clone(), named_by: Some("--plugins-config") };
        self.plugins_config.as_ref().map(named)
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
