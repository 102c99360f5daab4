//! `--check-config`: what would keep a start from serving all that the settings name.
//!
//! It loads what a start loads, in the same order and by the same code, but binds nothing, takes no lock, and leaves
//! nothing behind: no key, no folder, no registry.

mod folders;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use msp_core::Finding;
use msp_core::clock::{Clock, SystemClock};
use msp_http::Tls;
use msp_keyfile::ServerKeys;
use msp_registry::inspect;
use msp_runners::{IsolationConfig, Runners};
use msp_settings::{Settings, Sources};

use crate::assembly::runners_config;
use crate::configuration::Configuration;
use crate::error::StartupError;

/// Loads what a start with these sources would load, and gives what is wrong; nothing when all would be served.
/// `launcher` starts the processes of functions, as for [`Server::build`](crate::Server::build).
pub async fn check(sources: &Sources, launcher: &Path) -> Vec<Finding> {
    let configuration = match Configuration::load(sources) {
        Ok(configuration) => configuration,
        Err(error) => return vec![Finding::told(error)],
    };
    let settings = &configuration.settings;
    let mut findings = folders::look(&configuration);
    findings.extend(configuration.exposed().map(Finding::told));
    findings.extend(keys_and_registry(settings).await);
    findings.extend(settings.ssl.as_ref().and_then(|ssl| Tls::open(ssl).err()).map(Finding::told));
    findings.extend(functions(&configuration, launcher).await);
    findings
}

/// What is wrong with the registry, and with the server's keys.
async fn keys_and_registry(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    let clients = inspect::count_clients(&settings.registry.url).await.unwrap_or_else(|error| {
        findings.push(Finding::told(StartupError::from(error)));
        None
    });
    let folder = &settings.server.keypath;
    match (msp_keyfile::inspect_server_keys(folder), clients) {
        (Ok(ServerKeys::Missing), Some(clients @ 1..)) => {
            findings.push(Finding::told(StartupError::KeyGone(folder.display().to_string(), clients)));
        }
        (Ok(_), _) => {}
        (Err(error), _) => findings.push(Finding::at("[Server] Keypath", error)),
    }
    findings
}

/// Loads every module and plugin in processes like those of a start.
async fn functions(configuration: &Configuration, launcher: &Path) -> Vec<Finding> {
    let config = runners_config(&configuration.settings, launcher);
    // The running server's own folder, and its control groups, are emptied by whoever takes them.
    let config = msp_runners::RunnersConfig {
        isolation: IsolationConfig {
            scratch: scratch(),
            control_group: Err("not for a check".to_owned()),
            ..config.isolation
        },
        ..config
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let modules = configuration.settings.modules.clone();
    let plugins = configuration.plugin.as_ref().map(|door| door.spec.clone());
    let runners = match Runners::start(config, modules, plugins, clock).await {
        Ok(runners) => runners,
        Err(error) => return vec![Finding::told(error)],
    };
    runners.loaded().await;
    let failed = runners.report().into_iter().filter_map(|row| Some((row.name, row.source, row.error?)));
    let findings = failed
        .map(|(name, source, why)| Finding::new(format!("function {name}"), format!("{source}: {why}"), ""))
        .collect();
    runners.stop().await;
    findings
}

/// A folder for the temporary files of functions that no server uses; it is removed with the runners.
fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("msp-check-{}", std::process::id()))
}
