//! `completions`: scripts for shells.

use clap::{Args, Command};
use clap_complete::Shell;

use crate::error::AdminError;
use crate::output;

/// Print the completion script for a shell: for msp-admin, gen_key, appendclient and purgeclients
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,

    /// The program to complete
    #[arg(long, value_name = "PROGRAM", default_value = "msp-admin", value_parser = PROGRAMS)]
    program: String,
}

impl Completions {
    /// Makes the script of one of the `programs`.
    pub(crate) fn run(&self, programs: [Command; 4]) -> Result<(), AdminError> {
        let mut script = Vec::new();
        let is_asked_for = |command: &Command| command.get_name() == self.program;
        for mut command in programs.into_iter().filter(is_asked_for) {
            clap_complete::generate(self.shell, &mut command, &self.program, &mut script);
        }
        output::print(&String::from_utf8_lossy(&script))
    }
}

const PROGRAMS: [&str; 4] = ["msp-admin", "gen_key", "appendclient", "purgeclients"];

const EXAMPLES: &str = "\
Examples:
  msp-admin completions bash > ~/.local/share/bash-completion/completions/msp-admin
  msp-admin completions fish --program gen_key > ~/.config/fish/completions/gen_key.fish";
