//! The layers of the configuration, each setting with the place it comes from.

use std::collections::BTreeSet;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use msp_keyfile::KeyFileError;

use crate::error::SettingsError;
use crate::ini::Ini;
use crate::key::{Key, Setting};
use crate::sources::{NamedFile, Sources};
use crate::table::CONFIG;

/// What is in force, setting by setting.
#[derive(Debug)]
pub(crate) struct Layers {
    table: Value,
}

impl Layers {
    /// Lays config.ini, the environment and the command line over each other.
    ///
    /// `foreign` receives the sections of the file that are not ours.
    pub(crate) fn read(
        sources: &Sources,
        ini: Option<Ini>,
        foreign: &mut Vec<String>,
    ) -> Result<Self, SettingsError> {
        let layered = Config::builder()
            .add_source(file_layer(ini, foreign)?)
            .add_source(variables_layer(sources))
            .add_source(environment_layer(sources)?)
            .add_source(command_line_layer(sources)?)
            .build()
            .map_err(SettingsError::Layers)?;
        Ok(Self { table: layered.cache })
    }

    /// The text in force for the key.
    pub(crate) fn get(&self, key: &'static Key) -> Setting<'_> {
        let section = member(&self.table, key.section);
        let (text, origin) = section
            .and_then(|section| member(section, key.name))
            .and_then(|value| match &value.kind {
                ValueKind::String(text) => Some((text.as_str(), value.origin().unwrap_or_default())),
                _ => None,
            })
            .unwrap_or((key.default, DEFAULT));
        Setting { key, section: key.section, text, origin }
    }
}

fn member<'a>(table: &'a Value, name: &str) -> Option<&'a Value> {
    match &table.kind {
        ValueKind::Table(table) => table.get(&name.to_ascii_lowercase()),
        _ => None,
    }
}

/// Reads an INI file; one that is not named may be missing.
pub(crate) fn read_ini(file: &NamedFile) -> Result<Option<Ini>, SettingsError> {
    let name = file.path.display().to_string();
    match (msp_keyfile::read_text(&file.path, MAX_INI_BYTES), file.named_by) {
        (Ok(text), _) => Ini::parse(&name, &text).map(Some),
        (Err(KeyFileError::NotFound { .. }), None) => Ok(None),
        (Err(cause), named_by) => {
            Err(SettingsError::File { named_by: named_by.unwrap_or("the configuration").to_owned(), cause })
        }
    }
}

/// One layer: settings with their origins.
#[derive(Debug, Clone, Default)]
struct Layer {
    settings: Vec<(&'static Key, Value)>,
}

impl Layer {
    fn add(&mut self, key: &'static Key, text: &str, origin: &str) -> Result<(), SettingsError> {
        if self.settings.iter().any(|(other, _)| std::ptr::eq(*other, key)) {
            let what = format!("[{}] {}", key.section, key.name);
            return Err(SettingsError::Duplicate { origin: origin.to_owned(), what });
        }
        self.settings.push((key, Value::new(Some(&origin.to_owned()), text)));
        Ok(())
    }
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        let path = |key: &Key| format!("{}.{}", key.section, key.name).to_ascii_lowercase();
        Ok(self.settings.iter().map(|(key, value)| (path(key), value.clone())).collect())
    }
}

fn file_layer(ini: Option<Ini>, foreign: &mut Vec<String>) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    for section in ini.into_iter().flat_map(|ini| ini.sections) {
        if section_of_ours(&section.name).is_none() {
            foreign.push(format!("{}: [{}] is not read by this version", section.origin, section.name));
            continue;
        }
        for entry in section.entries {
            let key = find(&section.name, &entry.key, &entry.origin)?;
            layer.add(key, &entry.value, &entry.origin)?;
        }
    }
    Ok(layer)
}

/// The original's variables.
fn variables_layer(sources: &Sources) -> Layer {
    let origin = |name: &str| format!("environment variable {name}");
    let set = CONFIG.iter().filter_map(|key| {
        let name = key.variable?;
        let text = sources.variable(name)?;
        Some((*key, Value::new(Some(&origin(name)), text)))
    });
    Layer { settings: set.collect() }
}

/// `MSP__SECTION__KEY`.
fn environment_layer(sources: &Sources) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    for (name, value) in &sources.environment {
        let lower = name.to_ascii_lowercase();
        let Some(rest) = lower.strip_prefix("msp__") else { continue };
        let origin = format!("environment variable {}", name.escape_debug());
        let path = rest.split_once("__");
        layer.add(find_path(path, &origin)?, value, &origin)?;
    }
    Ok(layer)
}

fn command_line_layer(sources: &Sources) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    for (name, value) in &sources.overrides {
        let origin = format!("command line, {}", name.escape_debug());
        let lower = name.to_ascii_lowercase();
        layer.add(find_path(lower.split_once('.'), &origin)?, value, &origin)?;
    }
    Ok(layer)
}

fn find_path(path: Option<(&str, &str)>, origin: &str) -> Result<&'static Key, SettingsError> {
    match path {
        Some((section, key)) if section_of_ours(section).is_some() => find(section, key, origin),
        _ => {
            let sections: BTreeSet<_> = CONFIG.iter().map(|key| key.section).collect();
            let known = sections.into_iter().collect::<Vec<_>>().join(", ");
            Err(SettingsError::UnknownSetting { origin: origin.to_owned(), known })
        }
    }
}

/// The key of a section of ours.
fn find(section: &str, name: &str, origin: &str) -> Result<&'static Key, SettingsError> {
    let keys: Vec<&'static Key> =
        CONFIG.iter().copied().filter(|key| key.section.eq_ignore_ascii_case(section)).collect();
    keys.iter().find(|key| key.name.eq_ignore_ascii_case(name)).copied().ok_or_else(|| {
        SettingsError::UnknownKey {
            origin: origin.to_owned(),
            section: section_of_ours(section).unwrap_or_default().to_owned(),
            key: name.to_owned(),
            known: keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", "),
        }
    })
}

fn section_of_ours(name: &str) -> Option<&'static str> {
    CONFIG.iter().map(|key| key.section).find(|section| section.eq_ignore_ascii_case(name))
}

/// Where a setting comes from that nobody has set.
const DEFAULT: &str = "built-in default";

/// More than any configuration, in bytes.
const MAX_INI_BYTES: usize = 1024 * 1024;
