//! All settings of a server: the core's, and those of each door.

use std::sync::Arc;

use arc_swap::ArcSwap;
use msp_door_plugin::{PluginSettings, exposed};
use msp_settings::{InForce, KeyTable, Loaded, Settings, SettingsError, Sources};

use crate::error::StartupError;

/// The settings of the core and of each door, read at one moment.
#[derive(Debug, Clone)]
pub struct Configuration {
    /// Those that are no door's.
    pub settings: Arc<Settings>,
    /// Those of the plugin door; none while it is off.
    pub plugin: Option<Arc<PluginSettings>>,
}

/// The keys of config.ini that the server knows.
#[must_use]
pub fn keys() -> KeyTable {
    KeyTable::with_doors(&[msp_door_plugin::KEYS])
}

impl Configuration {
    /// Reads and checks everything; nothing is created or changed.
    ///
    /// # Errors
    /// [`SettingsError`] for the first mistake; a file that is named but missing is one.
    pub fn load(sources: &Sources) -> Result<Self, SettingsError> {
        let loaded = Loaded::load(sources, &keys())?;
        let mut settings = Settings::read(&loaded)?;
        let plugin = PluginSettings::read(&loaded, settings.doors, &mut settings.warnings)?;
        Ok(Self { settings: Arc::new(settings), plugin: plugin.map(Arc::new) })
    }

    /// What would serve private files, told as a start tells it.
    pub(crate) fn exposed(&self) -> Option<StartupError> {
        exposed(self.plugin.as_ref()?, &self.settings).map(StartupError::from)
    }
}

/// The configuration in force; it is replaced as a whole.
#[derive(Clone)]
pub(crate) struct Current(Arc<ArcSwap<Configuration>>);

impl Current {
    pub(crate) fn new(configuration: Configuration) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(configuration)))
    }

    pub(crate) fn load(&self) -> Arc<Configuration> {
        self.0.load_full()
    }

    pub(crate) fn store(&self, configuration: Configuration) {
        self.0.store(Arc::new(configuration));
    }

    /// For who needs the core's settings alone.
    pub(crate) fn settings(&self) -> InForce<Arc<Settings>> {
        let current = self.0.clone();
        InForce::new(move || current.load().settings.clone())
    }

    /// For the plugin door.
    pub(crate) fn plugin(&self) -> InForce<Option<(Arc<Settings>, Arc<PluginSettings>)>> {
        let current = self.0.clone();
        InForce::new(move || {
            let now = current.load();
            now.plugin.clone().map(|plugin| (now.settings.clone(), plugin))
        })
    }
}
