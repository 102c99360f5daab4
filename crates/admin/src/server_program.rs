//! The server's own program, which knows every door and loads what a start would load.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use msp_core::{Finding, SettingsReport};

use crate::error::AdminError;
use crate::options::GlobalOptions;

/// The program's name.
const NAME: &str = "msp-server";

/// Has the program load what a start would load, and gives what it found wrong; with the program's path.
///
/// # Errors
/// [`AdminError::NoServerProgram`] when there is none, or [`AdminError::Check`] when it gives no list of findings.
pub(crate) fn check(options: &GlobalOptions) -> Result<(PathBuf, Vec<Finding>), AdminError> {
    let program = find()?;
    let failed = |why: String| AdminError::Check { program: program.clone(), why };
    let output = run(&program, &["--check-config", "--json"], options);
    let output = output.map_err(|error| failed(error.to_string()))?;
    let findings = serde_json::from_slice(&output.stdout).map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        failed(said.lines().next().unwrap_or("it said nothing").to_owned())
    })?;
    Ok((program, findings))
}

/// The settings of all doors; nothing when there is no such program or they cannot be read, which [`check`] tells.
pub(crate) fn settings(options: &GlobalOptions) -> Option<SettingsReport> {
    let output = run(&find().ok()?, &["--show-settings"], options).ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn run(program: &Path, arguments: &[&str], options: &GlobalOptions) -> std::io::Result<Output> {
    #[expect(
        clippy::disallowed_methods,
        reason = "spawn.rs starts what runs functions; this starts the server's own program, which confines them"
    )]
    let mut command = std::process::Command::new(program);
    command.args(arguments).stdin(Stdio::null());
    let files = [
        ("--config", &options.config),
        ("--modules", &options.modules),
        ("--plugins-config", &options.plugins_config),
    ];
    for (option, file) in files {
        if let Some(file) = file {
            command.arg(option).arg(file);
        }
    }
    command.output()
}

/// The one beside this program, as they are installed, else the first on PATH.
fn find() -> Result<PathBuf, AdminError> {
    let beside = std::env::current_exe().ok().and_then(|path| Some(path.parent()?.to_owned()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = beside.iter().cloned().chain(std::env::split_paths(&path));
    let found = folders.find_map(|folder| Some(folder.join(NAME)).filter(|program| program.is_file()));
    found.ok_or_else(|| AdminError::NoServerProgram(beside.unwrap_or_default()))
}
