//! The whole configuration, loaded and checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use msp_core::{ModuleSpec, Stamp, registry_file};

use crate::error::SettingsError;
use crate::ini::Form;
use crate::key::{AnyKey, Counts, Definition};
use crate::keys::{AUTH_APIKEY_FILE, CONFIG, PIDFILE, SEARCH_PATH, SSL_KEYFILE};
use crate::layers::{Files, Layers, read_ini};
use crate::modules;
use crate::plugin::PluginSettings;
use crate::sections::{
    ClientsSettings, DoorSettings, GuardSettings, LimitSettings, LogSettings, NetworkSettings, OpsSettings,
    ProxySettings, RegistrySettings, RunnerSettings, ServerSettings, SslSettings,
};
use crate::sources::Sources;

/// The configuration in force; every value is legal.
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
    /// The plugin door; none while it is off.
    pub plugin: Option<Arc<PluginSettings>>,
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
    /// Every key of config.ini with what is in force for it, in the order of the reference.
    pub effective: Vec<Effective>,
    /// Files with keys that other settings name, whether they are in use or not.
    key_files: Vec<PathBuf>,
}

/// What is in force for one key, for `check-config`; a secret is only said to be there.
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
    definition: &'static dyn AnyKey,
}

impl Settings {
    /// Reads and checks everything; nothing is created or changed.
    ///
    /// # Errors
    /// [`SettingsError`] for the first mistake; a file that is named but missing is one.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let mut warnings = Vec::new();
        let stamps = sources.files().iter().map(|path| Stamp::of(path)).collect();
        let files = Files::read(sources)?;
        let dialect = files.dialect(sources);
        let layers = Layers::merge(sources, &files, &dialect, &mut warnings)?;
        let doors = DoorSettings::read(&layers)?;
        let clients = ClientsSettings::read(&layers)?;
        let modules_file = sources.modules_file();
        let modules_ini = read_ini(&modules_file, Form::Strict)?;
        let modules_path = modules_ini.is_some().then_some(modules_file.path);
        let config_path = files.config.is_some().then(|| sources.config_file().path);
        let plugins_config_path = sources.plugins_config.clone();
        if !doors.plugin {
            warnings.extend(files.foreign());
        }
        let ini_file = plugins_config_path.as_deref().or(config_path.as_deref());
        Ok(Self {
            server: ServerSettings::read(&layers)?,
            network: NetworkSettings::read(&layers)?,
            proxy: ProxySettings::read(&layers)?,
            ops: OpsSettings::read(&layers, doors.ops, &mut warnings)?,
            ssl: SslSettings::read(&layers)?,
            plugin: PluginSettings::read(&layers, &dialect, doors, ini_file, &mut warnings)?.map(Arc::new),
            pidfile: layers.read(&PIDFILE)?,
            registry: RegistrySettings::read(&layers, &clients)?,
            guard: GuardSettings::read(&layers)?,
            limits: LimitSettings::read(&layers)?,
            runners: RunnerSettings::read(&layers)?,
            log: LogSettings::read(&layers, &mut warnings)?,
            modules: modules::read(modules_path.as_deref(), modules_ini)?,
            search_path: layers.read(&SEARCH_PATH)?,
            effective: effective(&layers),
            key_files: key_files(&layers)?,
            clients,
            doors,
            config_path,
            plugins_config_path,
            modules_path,
            stamps,
            warnings,
        })
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
        let files = [&self.config_path, &self.plugins_config_path, &self.modules_path, &self.ops.token_file];
        let always = folders.into_iter().chain([&self.clients.register]).chain(&self.key_files).cloned();
        always.chain(files.into_iter().cloned().chain([registry]).flatten()).collect()
    }
}

fn key_files(layers: &Layers) -> Result<Vec<PathBuf>, SettingsError> {
    let files = [&SSL_KEYFILE, &AUTH_APIKEY_FILE].map(|key| layers.read(key));
    files.into_iter().filter_map(Result::transpose).collect()
}

pub(crate) fn effective(layers: &Layers) -> Vec<Effective> {
    let row = |key: &'static dyn AnyKey| {
        let Definition { section, name, .. } = key.definition();
        let (value, origin) = layers.text(key);
        let (value, origin) = (value.to_owned(), origin.to_owned());
        Effective { section, key: name, value, origin, definition: key }
    };
    CONFIG.iter().map(|key| row(*key)).collect()
}
