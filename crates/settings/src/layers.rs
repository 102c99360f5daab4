//! The layers of the configuration, each setting with the place it comes from.

use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use msp_keyfile::KeyFileError;

use crate::dialect::{self, Dialect};
use crate::error::SettingsError;
use crate::ini::{Form, Ini, Section};
use crate::key::{AnyKey, Definition, Key, Setting};
use crate::key_table::KeyTable;
use crate::keys::DOOR_PLUGIN;
use crate::kinds::Shown;
use crate::sources::{NamedFile, Sources};
use crate::token::Token;

/// What the files say: config.ini, and the configuration of the original plugin server.
#[derive(Debug, Default)]
pub(crate) struct Files {
    pub(crate) config: Option<Ini>,
    pub(crate) plugins: Option<Ini>,
}

impl Files {
    /// Reads those that are named, and config.ini at its default path if it exists.
    pub(crate) fn read(sources: &Sources) -> Result<Self, SettingsError> {
        let plugins = sources.plugins_file().map(|file| read_ini(&file, Form::Original));
        Ok(Self {
            config: read_ini(&sources.config_file(), Form::Strict)?,
            plugins: plugins.transpose()?.flatten(),
        })
    }

    /// Their common dialect, with the variables that its references may name.
    pub(crate) fn dialect<'a>(&'a self, keys: &KeyTable, sources: &'a Sources) -> Dialect<'a> {
        Dialect::new(keys, self.config.as_ref(), self.plugins.as_ref(), &sources.variables)
    }

    /// A line for each section that nothing reads while the plugin door is off.
    pub(crate) fn foreign(&self, keys: &KeyTable) -> Vec<String> {
        let sections = |ini: &Option<Ini>, ours: &dyn Fn(&str) -> bool| {
            let foreign = ini.iter().flat_map(|ini| &ini.sections).filter(|section| !ours(&section.name));
            let told = |section: &Section| {
                format!("{}: [{}] is not read by this version", section.origin, section.name)
            };
            foreign.map(told).collect::<Vec<_>>()
        };
        let ours = |section: &str| keys.is_ours(section);
        [sections(&self.config, &ours), sections(&self.plugins, &dialect::is_shared)].concat()
    }
}

/// What is in force, setting by setting.
#[derive(Debug)]
pub(crate) struct Layers {
    table: Value,
    secrets: Vec<Secret>,
}

/// A key whose value is shown nowhere, and that value.
type Secret = (&'static dyn AnyKey, Token);

impl Layers {
    /// Lays the files, the environment and the command line over each other.
    ///
    /// `warnings` receives what is legal in the original's file but looks like a mistake.
    pub(crate) fn merge(
        sources: &Sources,
        keys: &KeyTable,
        files: &Files,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SettingsError> {
        let dialect = &files.dialect(keys, sources);
        let layers = [
            door_layer(sources)?,
            config_layer(keys, files.config.as_ref(), dialect)?,
            plugins_layer(keys, files.plugins.as_ref(), dialect, warnings)?,
            variables_layer(keys, sources)?,
            environment_layer(keys, sources)?,
            command_line_layer(keys, sources)?,
        ];
        let secrets = layers.iter().rev().flat_map(|layer| layer.secrets.clone()).collect();
        let builder = layers.into_iter().fold(Config::builder(), |builder, layer| builder.add_source(layer));
        Ok(Self { table: builder.build().map_err(SettingsError::Layers)?.cache, secrets })
    }

    /// What is in force for the key.
    pub(crate) fn get<T: PartialEq>(&self, key: &'static Key<T>) -> Setting<'_, T> {
        let (text, origin) = self.text(key);
        // Those of the topmost layer stand first.
        let secret = self.secrets.iter().find(|(other, _)| is_one(*other, key));
        let text = secret.map_or(text, |(_, secret)| secret.text());
        Setting { key, section: key.definition().section, text, origin }
    }

    /// The text in force for the key as it may be shown, and where it comes from.
    pub(crate) fn text(&self, key: &'static dyn AnyKey) -> (&str, &str) {
        let Definition { section, name, default, .. } = key.definition();
        let value = member(&self.table, section).and_then(|section| member(section, name));
        match value.map(|value| (&value.kind, value.origin())) {
            Some((ValueKind::String(text), origin)) => (text, origin.unwrap_or_default()),
            _ => (default, DEFAULT),
        }
    }
}

/// True for one and the same key.
fn is_one(one: &dyn AnyKey, other: &dyn AnyKey) -> bool {
    std::ptr::eq(one.definition(), other.definition())
}

fn member<'a>(table: &'a Value, name: &str) -> Option<&'a Value> {
    match &table.kind {
        ValueKind::Table(table) => table.get(&name.to_ascii_lowercase()),
        _ => None,
    }
}

/// Reads an INI file; one that is not named may be missing.
pub(crate) fn read_ini(file: &NamedFile, form: Form) -> Result<Option<Ini>, SettingsError> {
    let name = file.path.display().to_string();
    match (msp_keyfile::read_text(&file.path, MAX_INI_BYTES), file.named_by) {
        (Ok(text), _) => Ini::parse_as(form, &name, &text).map(Some),
        (Err(KeyFileError::NotFound { .. }), None) => Ok(None),
        (Err(cause), named_by) => {
            Err(SettingsError::File { named_by: named_by.unwrap_or("the configuration").to_owned(), cause })
        }
    }
}

/// One layer: settings with their origins.
#[derive(Debug, Clone, Default)]
struct Layer {
    settings: Vec<(&'static dyn AnyKey, Value)>,
    /// Secrets, which the settings only say to be there: they are shown to people.
    secrets: Vec<Secret>,
}

impl Layer {
    fn add(&mut self, key: &'static dyn AnyKey, text: &str, origin: &str) -> Result<(), SettingsError> {
        if self.settings.iter().any(|(other, _)| is_one(*other, key)) {
            let Definition { section, name, .. } = key.definition();
            let what = format!("[{section}] {name}");
            return Err(SettingsError::Duplicate { origin: origin.to_owned(), what });
        }
        let text = if key.shown() == Shown::Nowhere { self.keep(key, text) } else { text };
        self.settings.push((key, Value::new(Some(&origin.to_owned()), text)));
        Ok(())
    }

    /// Puts a secret aside, and gives what is shown for it.
    fn keep(&mut self, key: &'static dyn AnyKey, text: &str) -> &'static str {
        let secret = Token::from_text(text);
        let shown = if secret.is_empty() { "" } else { "(set)" };
        self.secrets.push((key, secret));
        shown
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let path = |key: &Definition| format!("{}.{}", key.section, key.name).to_ascii_lowercase();
        Ok(self.settings.iter().map(|(key, value)| (path(key.definition()), value.clone())).collect())
    }
}

/// A file of the original opens the door that serves it, unless something says otherwise.
fn door_layer(sources: &Sources) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    if let Some(file) = sources.plugins_file() {
        layer.add(&DOOR_PLUGIN, "on", &format!("--plugins-config {}", file.path.display()))?;
    }
    Ok(layer)
}

fn config_layer(keys: &KeyTable, ini: Option<&Ini>, dialect: &Dialect<'_>) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    let ours = |section: &&Section| keys.is_ours(&section.name) && section.name != dialect::PARAMETERS;
    for section in ini.into_iter().flat_map(|ini| &ini.sections).filter(ours) {
        for entry in &section.entries {
            let Some(key) = keys.find(&section.name, &entry.key, &entry.origin)? else { continue };
            if dialect::is_shared(&section.name) {
                layer.add(key, &dialect.value(&section.name, entry)?.into_text(), &entry.origin)?;
            } else {
                layer.add(key, &entry.value, &entry.origin)?;
            }
        }
    }
    Ok(layer)
}

/// Only the sections that both servers have; a plugin may read other keys there.
fn plugins_layer(
    keys: &KeyTable,
    ini: Option<&Ini>,
    dialect: &Dialect<'_>,
    warnings: &mut Vec<String>,
) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    let shared =
        |section: &&Section| dialect::is_shared(&section.name) && section.name != dialect::PARAMETERS;
    for section in ini.into_iter().flat_map(|ini| &ini.sections).filter(shared) {
        for entry in &section.entries {
            match keys.find(&section.name, &entry.key, &entry.origin) {
                Ok(Some(key)) => {
                    layer.add(key, &dialect.value(&section.name, entry)?.into_text(), &entry.origin)?
                }
                // A word misspelt here would leave something open that should be closed.
                Err(unknown) if ["auth", "cors", "ssl"].contains(&&*section.name) => {
                    warnings.push(unknown.to_string());
                }
                Ok(None) | Err(_) => {}
            }
        }
    }
    Ok(layer)
}

/// The original's variables.
fn variables_layer(keys: &KeyTable, sources: &Sources) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    for key in keys.iter() {
        let Some(name) = key.definition().variable else { continue };
        if let Some(text) = sources.variable(name) {
            layer.add(key, text, &format!("environment variable {name}"))?;
        }
    }
    Ok(layer)
}

/// `MSP__SECTION__KEY`.
fn environment_layer(keys: &KeyTable, sources: &Sources) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    for (name, value) in &sources.environment {
        let lower = name.to_ascii_lowercase();
        let Some(rest) = lower.strip_prefix("msp__") else { continue };
        let origin = format!("environment variable {}", name.escape_debug());
        if let Some(key) = keys.find_path(rest.split_once("__"), &origin)? {
            layer.add(key, value, &origin)?;
        }
    }
    Ok(layer)
}

fn command_line_layer(keys: &KeyTable, sources: &Sources) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    for (name, value) in &sources.overrides {
        let origin = format!("command line, {}", name.escape_debug());
        let lower = name.to_ascii_lowercase();
        if let Some(key) = keys.find_path(lower.split_once('.'), &origin)? {
            layer.add(key, value, &origin)?;
        }
    }
    Ok(layer)
}

/// Where a setting comes from that nobody has set.
const DEFAULT: &str = "built-in default";

/// More than any configuration, in bytes.
const MAX_INI_BYTES: usize = 1024 * 1024;
