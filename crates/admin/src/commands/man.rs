//! `man`: manual pages.

use std::path::PathBuf;

use clap::{Args, Command};
use clap_mangen::Man as Page;

use crate::as_owner;
use crate::error::AdminError;
use crate::output;

/// Print the manual page of msp-admin, or write one page for each program and command
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Man {
    /// Write all pages into this folder, which must exist
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Man {
    /// Makes the page of `program`, or those of all `programs`.
    pub(crate) fn run(&self, program: Command, programs: [Command; 4]) -> Result<(), AdminError> {
        let Some(folder) = &self.dir else {
            let mut page = Vec::new();
            Page::new(program).render(&mut page).map_err(|cause| AdminError::io("make the page", cause))?;
            return output::print(&String::from_utf8_lossy(&page));
        };
        as_owner::work_as_owner(&[folder], None)?;
        for command in programs {
            clap_mangen::generate_to(command, folder).map_err(|cause| {
                AdminError::io(format!("write manual pages into {}", folder.display()), cause)
            })?;
        }
        output::print(&format!("Written: {}", folder.display()))
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin man | man -l -
  msp-admin man --dir /usr/local/share/man/man1";
