//! The command line of msp-server.

use std::path::PathBuf;

use clap::Parser;

/// Serve sealed calls to registered machines
#[derive(Debug, Parser)]
#[command(
    name = "msp-server",
    version,
    after_help = "Examples:
  msp-server                                   keys in ./sec, modules in ./modules, log in ./log
  msp-server --config /etc/msp/config.ini      with a configuration of your own
  msp-server --port 9000                       on another port
  msp-server --healthcheck                     ask the running server whether it is well

SIGHUP reads configuration and modules again. SIGTERM ends what is under way first; a second one quits.
Exit code: 0 after a stop, 1 when it cannot start or is not healthy, 2 for a wrong command line."
)]
pub struct Cli {
    /// Read this config.ini (else MSP_CONFIG_PATH, else config/config.ini if there is one)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read this modules.ini (else MSP_MODCONF_PATH, else config/modules.ini if there is one)
    #[arg(long, value_name = "FILE")]
    pub modules: Option<PathBuf>,
    /// Read this configuration of the original plugin server too, and serve its plugins
    #[arg(long, value_name = "FILE")]
    pub plugins_config: Option<PathBuf>,
    /// The address to listen on.
    #[arg(long, value_name = "ADDRESS", help = "Listen on this address, before [network] bindto")]
    pub bindto: Option<String>,
    /// The port to listen on.
    #[arg(long, help = "Listen on this port, before [network] port; 0 picks one")]
    pub port: Option<String>,
    /// Ask the ops door of the running server for its health, and exit 0 or 1
    #[arg(long)]
    pub healthcheck: bool,
}

impl Cli {
    /// What the command line says of the settings, as `section.key` and value.
    #[must_use]
    pub fn overrides(&self) -> Vec<(String, String)> {
        let given = [("network.bindto", &self.bindto), ("network.port", &self.port)];
        given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))).collect()
    }
}
