//! The whole configuration, loaded and checked.

use std::path::{Path, PathBuf};

use msp_core::{ModuleSpec, SettingRow, SettingsReport, Stamp, registry_file};

use crate::error::SettingsError;
use crate::key::{AnyKey, Counts};
use crate::key_table::KeyTable;
use crate::keys::{PIDFILE, SEARCH_PATH};
use crate::loaded::Loaded;
use crate::modules;
use crate::sections::{
    ClientsSettings, DoorSettings, GuardSettings, LimitSettings, LogSettings, NetworkSettings, OpsSettings,
    ProxySettings, RegistrySettings, RunnerSettings, ServerSettings, SslSettings,
};
use crate::sources::Sources;

/// The configuration in force, but for what is a door's; every value is legal.
///
/// Relative paths are relative to the working folder.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[Server]`.
    pub server: ServerSettings,
    /// `[network]`.
    pub network: NetworkSettings,
    /// `[Clients]`.
    pub clients: ClientsSettings,
    /// `[Proxy]`.
    pub proxy: ProxySettings,
    /// `[Doors]`.
    pub doors: DoorSettings,
    /// `[Ops]`.
    pub ops: OpsSettings,
    /// `[SSL]`; none while it is off.
    pub ssl: Option<SslSettings>,
    /// Holds the server's process id while it runs.
    pub pidfile: Option<PathBuf>,
    /// `[Registry]`.
    pub registry: RegistrySettings,
    /// `[Guard]`.
    pub guard: GuardSettings,
    /// `[Limits]`.
    pub limits: LimitSettings,
    /// `[Runners]`.
    pub runners: RunnerSettings,
    /// `[Log]`.
    pub log: LogSettings,
    /// The functions of modules.ini, in its order.
    pub modules: Vec<ModuleSpec>,
    /// Where modules are looked up, in this order.
    pub search_path: Vec<PathBuf>,
    /// The config.ini that was read; none means built-in defaults.
    pub config_path: Option<PathBuf>,
    /// The configuration of the original plugin server that was read, if one was named.
    pub plugins_config_path: Option<PathBuf>,
    /// The modules.ini that was read; none means the built-in one.
    pub modules_path: Option<PathBuf>,
    /// The files of [`Sources::files`], each as it was before it was read.
    pub stamps: Vec<Option<Stamp>>,
    /// What is legal but should be looked at, one line each.
    pub warnings: Vec<String>,
    /// Every key of config.ini that the program knows, with what is in force for it, in the order of the reference.
    pub effective: Vec<Effective>,
    /// Files with keys that other settings name, whether they are in use or not.
    private_files: Vec<PathBuf>,
}

/// What is in force for one key; a secret is only said to be there.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The section.
    pub section: &'static str,
    /// The key.
    pub key: &'static str,
    /// Its text.
    pub value: String,
    /// Where it comes from: file and line, variable, command line, or the built-in default.
    pub origin: String,
    pub(crate) definition: &'static dyn AnyKey,
}

impl Settings {
    /// Reads and checks everything that is not a door's; nothing is created or changed.
    ///
    /// # Errors
    /// [`SettingsError`] for the first mistake; a file that is named but missing is one.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        Self::read(&Loaded::load(sources, &KeyTable::core())?)
    }

    /// Takes what is not a door's from what was loaded.
    ///
    /// # Errors
    /// [`SettingsError`] for the first mistake.
    pub fn read(loaded: &Loaded) -> Result<Self, SettingsError> {
        let mut warnings = loaded.warnings.clone();
        let doors = DoorSettings::read(loaded)?;
        let clients = ClientsSettings::read(loaded)?;
        if !doors.plugin {
            warnings.extend(loaded.foreign());
        }
        let modules_path = loaded.modules_path();
        Ok(Self {
            server: ServerSettings::read(loaded)?,
            network: NetworkSettings::read(loaded)?,
            proxy: ProxySettings::read(loaded)?,
            ops: OpsSettings::read(loaded, doors.ops, &mut warnings)?,
            ssl: SslSettings::read(loaded)?,
            pidfile: loaded.read(&PIDFILE)?,
            registry: RegistrySettings::read(loaded, &clients)?,
            guard: GuardSettings::read(loaded)?,
            limits: LimitSettings::read(loaded)?,
            runners: RunnerSettings::read(loaded)?,
            log: LogSettings::read(loaded, &mut warnings)?,
            modules: modules::read(modules_path.as_deref(), loaded.modules.as_ref())?,
            search_path: loaded.read(&SEARCH_PATH)?,
            config_path: loaded.config_path(),
            plugins_config_path: loaded.sources.plugins_config.clone(),
            stamps: loaded.stamps.clone(),
            effective: loaded.effective(),
            private_files: loaded.private_files(),
            clients,
            doors,
            modules_path,
            warnings,
        })
    }

    /// What is in force, and what should be looked at.
    #[must_use]
    pub fn report(&self) -> SettingsReport {
        let row = |Effective { section, key, value, origin, .. }: &Effective| SettingRow {
            section: (*section).to_owned(),
            key: (*key).to_owned(),
            value: value.clone(),
            origin: origin.clone(),
        };
        SettingsReport { settings: self.effective.iter().map(row).collect(), warnings: self.warnings.clone() }
    }

    /// The keys, as `[section] key`, that count at the next start only and have other values than at this one.
    #[must_use]
    pub fn waiting_for_start(&self, started: &Self) -> Vec<String> {
        let rows = self.effective.iter().zip(&started.effective);
        let waits = |(now, then): &(&Effective, &Effective)| {
            let key = now.definition;
            key.definition().counts == Counts::AtStart && !key.is_same(&now.value, &then.value)
        };
        rows.filter(waits).map(|(now, _)| format!("[{}] {}", now.section, now.key)).collect()
    }

    /// The files and folders that no function may reach, whatever the kernel's other rules say.
    #[must_use]
    pub fn private_paths(&self) -> Vec<PathBuf> {
        let registry = registry_file(&self.registry.url).map(Path::to_owned);
        let folders = [&self.server.keypath, &self.clients.keypath, &self.log.directory];
        let files = [&self.config_path, &self.plugins_config_path, &self.modules_path];
        let always = folders.into_iter().chain([&self.clients.register]).chain(&self.private_files).cloned();
        always.chain(files.into_iter().cloned().chain([registry]).flatten()).collect()
    }
}
