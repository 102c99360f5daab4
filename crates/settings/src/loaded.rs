//! The configuration as it was read, before who owns a section has taken it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use msp_core::Stamp;
use serde_json::Value;

use crate::dialect::{Dialect, PARAMETERS};
use crate::error::SettingsError;
use crate::ini::{Form, Ini};
use crate::key::{AnyKey, Definition, Key, Setting};
use crate::key_table::KeyTable;
use crate::layers::{Files, Layers, read_ini};
use crate::settings::Effective;
use crate::sources::Sources;

/// What files, environment and command line say: each key's text with its origin. The core and each door read their
/// sections from it, so that all of them are of one moment.
pub struct Loaded {
    pub(crate) keys: KeyTable,
    pub(crate) sources: Sources,
    pub(crate) files: Files,
    pub(crate) modules: Option<Ini>,
    /// The files of [`Sources::files`], each as it was before it was read.
    pub(crate) stamps: Vec<Option<Stamp>>,
    /// What is legal but looks like a mistake.
    pub(crate) warnings: Vec<String>,
    layers: Layers,
}

/// Without what the files say, which may be secret.
impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Reads everything; values are not looked at yet. Nothing is created or changed.
    ///
    /// # Errors
    /// [`SettingsError`] for the first mistake; a file that is named but missing is one.
    pub fn load(sources: &Sources, keys: &KeyTable) -> Result<Self, SettingsError> {
        let stamps = sources.files().iter().map(|path| Stamp::of(path)).collect();
        let loaded = Self::of(sources, keys, Files::read(sources)?)?;
        let modules = read_ini(&sources.modules_file(), Form::Strict)?;
        Ok(Self { modules, stamps, ..loaded })
    }

    /// Merges files that have been read.
    pub(crate) fn of(sources: &Sources, keys: &KeyTable, files: Files) -> Result<Self, SettingsError> {
        let mut warnings = Vec::new();
        let layers = Layers::merge(sources, keys, &files, &mut warnings)?;
        let (keys, sources) = (keys.clone(), sources.clone());
        Ok(Self { keys, sources, files, modules: None, stamps: Vec::new(), warnings, layers })
    }

    /// The value in force for the key.
    ///
    /// # Errors
    /// [`SettingsError::Value`] when it is not what the key expects.
    pub fn read<T: PartialEq>(&self, key: &'static Key<T>) -> Result<T, SettingsError> {
        self.get(key).value()
    }

    /// What is in force for the key.
    #[must_use]
    pub fn get<T: PartialEq>(&self, key: &'static Key<T>) -> Setting<'_, T> {
        self.layers.get(key)
    }

    /// What plugins may read: the sections that the original plugin server has or that are their own, but for their
    /// parameters and the door's key.
    ///
    /// # Errors
    /// [`SettingsError`] for a reference or a typed value that means nothing.
    pub fn for_plugins(&self) -> Result<Value, SettingsError> {
        self.dialect().for_plugins()
    }

    /// The file that plugins are told to be the configuration: the original's, else config.ini.
    #[must_use]
    pub fn plugins_file(&self) -> Option<PathBuf> {
        self.sources.plugins_config.clone().or_else(|| self.config_path())
    }

    /// The parameters of each file of plugins: form-encoded, empty ones left out, of a repeated one the first.
    ///
    /// # Errors
    /// [`SettingsError`] for a file that stands there twice, or a reference that means nothing.
    pub fn plugin_parameters(&self) -> Result<BTreeMap<String, Vec<(String, String)>>, SettingsError> {
        let dialect = self.dialect();
        let mut files = BTreeMap::new();
        for entry in dialect.entries(PARAMETERS) {
            let line = dialect.value(PARAMETERS, entry)?.into_text().replace('\n', "");
            let mut pairs: Vec<(String, String)> = Vec::new();
            for (name, value) in form_urlencoded::parse(line.as_bytes()) {
                if !name.is_empty() && !value.is_empty() && !pairs.iter().any(|(other, _)| *other == name) {
                    pairs.push((name.into_owned(), value.into_owned()));
                }
            }
            let stem = entry.key.strip_suffix(".py").unwrap_or(&entry.key).to_owned();
            if files.insert(stem, pairs).is_some() {
                let (origin, what) = (entry.origin.clone(), entry.key.clone());
                return Err(SettingsError::Duplicate { origin, what });
            }
        }
        Ok(files)
    }

    /// The config.ini that was read.
    pub(crate) fn config_path(&self) -> Option<PathBuf> {
        self.files.config.is_some().then(|| self.sources.config_file().path)
    }

    /// The modules.ini that was read.
    pub(crate) fn modules_path(&self) -> Option<PathBuf> {
        self.modules.is_some().then(|| self.sources.modules_file().path)
    }

    /// A line for each section that nothing reads while the plugin door is off.
    pub(crate) fn foreign(&self) -> Vec<String> {
        // Without the doors' keys it may well be read.
        if self.keys.knows_doors() { self.files.foreign(&self.keys) } else { Vec::new() }
    }

    /// Every key with what is in force for it.
    pub(crate) fn effective(&self) -> Vec<Effective> {
        let row = |key: &'static dyn AnyKey| {
            let Definition { section, name, .. } = key.definition();
            let (value, origin) = self.layers.text(key);
            let (value, origin) = (value.to_owned(), origin.to_owned());
            Effective { section, key: name, value, origin, definition: key }
        };
        self.keys.iter().map(row).collect()
    }

    /// The files that keys name as private, whether they are in use or not.
    pub(crate) fn private_files(&self) -> Vec<PathBuf> {
        let files =
            self.keys.iter().filter(|key| key.names_private_file()).map(|key| self.layers.text(key).0);
        files.filter(|file| !file.is_empty()).map(|file| Path::new(file).to_owned()).collect()
    }

    fn dialect(&self) -> Dialect<'_> {
        self.files.dialect(&self.keys, &self.sources)
    }
}
