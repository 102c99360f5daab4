//! The command line of msp-server.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser};
use clap_complete::Shell;
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
  msp-server --check-config                    load what a start would load, and say what is wrong
  msp-server --healthcheck                     ask the running server whether it is well

SIGHUP and SIGUSR1 read configuration and modules again and load plugins anew. SIGTERM ends what is under way first; a second one quits.
Exit code: 0 after a stop, 1 when it cannot start, is not healthy or would not serve all, 2 for a wrong command line."
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
    /// Load what a start would load, print a line for each thing that is wrong, and exit 0 or 1; nothing is changed
    #[arg(long)]
    pub check_config: bool,
    /// Print what --check-config finds as JSON: a list of objects with place, problem and hint
    #[arg(long, requires = "check_config")]
    pub json: bool,
    /// Print the settings that are in force as JSON, for msp-admin
    #[arg(long, hide = true)]
    pub show_settings: bool,
    /// Ask the ops door of the running server for its health, and exit 0 or 1
    #[arg(long, conflicts_with = "check_config")]
    pub healthcheck: bool,
    /// Print the completion script for a shell
    #[arg(long, value_name = "SHELL", hide_short_help = true)]
    pub completions: Option<Shell>,
    /// Print the manual page
    #[arg(long, hide_short_help = true)]
    pub man: bool,
}

impl Cli {
    /// Where settings come from: the command line, and this process's environment.
    #[must_use]
    pub fn sources(&self) -> Sources {
        let (config, modules) = (self.config.clone(), self.modules.clone());
        Sources::from_process(config, modules, self.plugins_config.clone(), self.overrides())
    }

    /// What `--completions` or `--man` asks for, made from this definition; nothing without them.
    ///
    /// # Errors
    /// What writing says.
    pub fn text(&self, to: &mut dyn std::io::Write) -> std::io::Result<bool> {
        if let Some(shell) = self.completions {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Self::command(), "msp-server", &mut script);
            to.write_all(&script)?;
        }
        if self.man {
            clap_mangen::Man::new(Self::command()).render(&mut &mut *to)?;
        }
        Ok(self.man || self.completions.is_some())
    }

    /// What the command line says of the settings, as `section.key` and value.
    fn overrides(&self) -> Vec<(String, String)> {
        let given = [("network.bindto", &self.bindto), ("network.port", &self.port)];
        given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?))).collect()
    }
}
