//! What several commands take on their command lines.

use std::path::PathBuf;

use clap::Args;
use msp_settings::{Settings, SettingsError, Sources};

/// What every command takes.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct GlobalOptions {
    /// Read this config.ini (else MSP_CONFIG_PATH, else config/config.ini if there is one)
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,

    /// Read this modules.ini (else MSP_MODCONF_PATH, else config/modules.ini if there is one)
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) modules: Option<PathBuf>,

    /// Print results as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// The server's `--plugins-config`, which only some commands take.
    #[arg(skip)]
    pub(crate) plugins_config: Option<PathBuf>,
}

impl GlobalOptions {
    /// Reads the configuration as the server would; `url` stands for `[Server] PublicUrl`.
    ///
    /// # Errors
    /// [`SettingsError`] for a file that cannot be read, or a value that is not right.
    pub(crate) fn settings(&self, url: Option<&str>) -> Result<Settings, SettingsError> {
        let overrides = url.map(|url| ("server.publicurl".to_owned(), url.to_owned()));
        let (config, modules) = (self.config.clone(), self.modules.clone());
        let plugins = self.plugins_config.clone();
        let sources = Sources::from_process(config, modules, plugins, overrides.into_iter().collect());
        Settings::load(&sources)
    }
}

/// Reads how many lines are asked for.
pub(crate) fn count(text: &str) -> Result<usize, &'static str> {
    text.parse().ok().filter(|count| (1..=10_000).contains(count)).ok_or("a number from 1 to 10000 is right")
}
