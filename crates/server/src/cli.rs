//! The command line of msp-server.

use std::path::PathBuf;

use clap::Parser;
use msp_settings::Sources;

/// Serve functions: sealed calls of registered machines, and plugins as REST routes
#[derive(Debug, Parser)]
#[command(
    name = "msp-server",
    version,
    after_help = "Examples:
  msp-server                                   keys in ./sec, modules in ./modules, log in ./log
  msp-server --config /etc/msp/config.ini      with a configuration of your own
  msp-server --port 9000                       on another port
  msp-server --plugins-config pserv.ini        with the plugins of a Python plugin server
  msp-server --healthcheck                     ask the running server whether it is well

SIGHUP and SIGUSR1 read configuration and modules again and load plugins anew. SIGTERM ends what is under way first; a second one quits.
Exit code: 0 after a stop, 1 when it cannot start or is not healthy, 2 for a wrong command line."
)]
pub struct Cli {
    /// Read this config.ini (else MSP_CONFIG_PATH, else config/config.ini if there is one)
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Read this modules.ini (else MSP_MODCONF_PATH, else config/modules.ini if there is one)
    #[arg(long, value_name = "FILE")]
    pub modules: Option<PathBuf>,
    /// Open the plugin door with this configuration of the Python plugin server, as it is, over config.ini
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
    /// Where settings come from: the command line, and this process's environment.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let (config, modules) = (self.config.clone(), self.modules.clone());
        Sources::from_process(config, modules, self.plugins_config.clone(), self.overrides())
    }

    /// What the command line says of the settings, as `section.key` and value.
    fn overrides(&self) -> Vec<(String, String)> {
        let given = [("network.bindto", &self.bindto), ("network.port", &self.port)];
        given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))).collect()
    }
}
