//! What the settings say about keeping functions to themselves, and what has come of it.

use std::path::{Path, PathBuf};

use msp_protocol::Digest;
use msp_runners::{IsolationConfig, Runners};
use msp_settings::Settings;

/// What the runners are told.
pub(crate) fn config(settings: &Settings, launcher: &Path) -> IsolationConfig {
    IsolationConfig {
        launcher: launcher.to_owned(),
        require: settings.runners.require_isolation,
        user: settings.runners.worker_user.clone(),
        scratch: scratch(&settings.server.keypath),
        private: settings.private_paths(),
        control_group: msp_runners::own_control_group(),
    }
}

/// The folder for the temporary files of functions. Its name is that of the key folder, so that a start finds
/// what a killed server has left; only one server at a time uses a key folder.
fn scratch(keypath: &Path) -> PathBuf {
    let place = keypath.canonicalize().unwrap_or_else(|_| keypath.to_owned());
    let name = Digest::of(place.as_os_str().as_encoded_bytes()).to_string();
    std::env::temp_dir().join(format!("msp-{}", name.get(..16).unwrap_or(&name)))
}

/// Logs what is in force, and what is not.
pub(crate) fn tell(runners: &Runners) {
    let report = runners.isolation();
    report.in_force.iter().for_each(|line| tracing::info!("{line}"));
    report.lacking.iter().for_each(|line| tracing::warn!("isolation: {line}"));
}
