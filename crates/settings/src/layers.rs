//! The layers of the configuration, each setting with the place it comes from.

use std::collections::BTreeSet;

use config::{Config, ConfigError, Map, Source, Value, ValueKind};
use msp_keyfile::KeyFileError;

use crate::dialect::{self, Dialect};
use crate::error::SettingsError;
use crate::ini::{Form, Ini, Section};
use crate::key::{Key, Setting};
use crate::sources::{NamedFile, Sources};
use crate::table::{AUTH_APIKEY, CONFIG, DOOR_PLUGIN};
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
    pub(crate) fn dialect<'a>(&'a self, sources: &'a Sources) -> Dialect<'a> {
        Dialect::new(self.config.as_ref(), self.plugins.as_ref(), &sources.variables)
    }

    /// A line for each section that nothing reads while the plugin door is off.
    pub(crate) fn foreign(&self) -> Vec<String> {
        let sections = |ini: &Option<Ini>, ours: fn(&str) -> bool| {
            let foreign = ini.iter().flat_map(|ini| &ini.sections).filter(|section| !ours(&section.name));
            let told = |section: &Section| {
                format!("{}: [{}] is not read by this version", section.origin, section.name)
            };
            foreign.map(told).collect::<Vec<_>>()
        };
        [sections(&self.config, is_ours), sections(&self.plugins, dialect::is_shared)].concat()
    }
}

/// What is in force, setting by setting.
#[derive(Debug)]
pub(crate) struct Layers {
    table: Value,
    apikey: Option<Token>,
}

impl Layers {
    /// Lays the files, the environment and the command line over each other.
    ///
    /// `warnings` receives what is legal in the original's file but looks like a mistake.
    pub(crate) fn read(
        sources: &Sources,
        files: &Files,
        dialect: &Dialect<'_>,
        warnings: &mut Vec<String>,
    ) -> Result<Self, SettingsError> {
        let mut layers = [
            door_layer(sources),
            config_layer(files.config.as_ref(), dialect)?,
            plugins_layer(files.plugins.as_ref(), dialect, warnings)?,
            variables_layer(sources),
            environment_layer(sources)?,
            command_line_layer(sources)?,
        ];
        let apikey = layers.iter_mut().rev().find_map(|layer| layer.apikey.take());
        let builder = layers.into_iter().fold(Config::builder(), |builder, layer| builder.add_source(layer));
        Ok(Self { table: builder.build().map_err(SettingsError::Layers)?.cache, apikey })
    }

    /// The api key in force; nothing when it is empty.
    pub(crate) fn apikey(&self) -> Option<&Token> {
        self.apikey.as_ref().filter(|key| !key.is_empty())
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
    settings: Vec<(&'static Key, Value)>,
    /// The api key, which the settings only say to be there: they are shown to people.
    apikey: Option<Token>,
}

impl Layer {
    fn add(&mut self, key: &'static Key, text: &str, origin: &str) -> Result<(), SettingsError> {
        if self.settings.iter().any(|(other, _)| std::ptr::eq(*other, key)) {
            let what = format!("[{}] {}", key.section, key.name);
            return Err(SettingsError::Duplicate { origin: origin.to_owned(), what });
        }
        let text = if std::ptr::eq(key, &AUTH_APIKEY) { self.keep(text) } else { text };
        self.settings.push((key, Value::new(Some(&origin.to_owned()), text)));
        Ok(())
    }

    /// Puts the api key aside, and gives what is shown for it.
    fn keep(&mut self, text: &str) -> &'static str {
        let key = self.apikey.insert(Token::from_text(text));
        if key.is_empty() { "" } else { "(set)" }
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

/// A file of the original opens the door that serves it, unless something says otherwise.
fn door_layer(sources: &Sources) -> Layer {
    let open = |file: NamedFile| {
        let origin = format!("--plugins-config {}", file.path.display());
        (&DOOR_PLUGIN, Value::new(Some(&origin), "on"))
    };
    Layer { settings: sources.plugins_file().map(open).into_iter().collect(), apikey: None }
}

fn config_layer(ini: Option<&Ini>, dialect: &Dialect<'_>) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    let ours = |section: &&Section| is_ours(&section.name) && section.name != dialect::PARAMETERS;
    for section in ini.into_iter().flat_map(|ini| &ini.sections).filter(ours) {
        for entry in &section.entries {
            let key = find(&section.name, &entry.key, &entry.origin)?;
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
    ini: Option<&Ini>,
    dialect: &Dialect<'_>,
    warnings: &mut Vec<String>,
) -> Result<Layer, SettingsError> {
    let mut layer = Layer::default();
    let shared =
        |section: &&Section| dialect::is_shared(&section.name) && section.name != dialect::PARAMETERS;
    for section in ini.into_iter().flat_map(|ini| &ini.sections).filter(shared) {
        for entry in &section.entries {
            match find(&section.name, &entry.key, &entry.origin) {
                Ok(key) => {
                    layer.add(key, &dialect.value(&section.name, entry)?.into_text(), &entry.origin)?
                }
                // A word misspelt here would leave something open that should be closed.
                Err(unknown) if ["auth", "cors", "ssl"].contains(&&*section.name) => {
                    warnings.push(unknown.to_string());
                }
                Err(_) => {}
            }
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
    Layer { settings: set.collect(), apikey: None }
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
        Some((section, key)) if has_keys(section) => find(section, key, origin),
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
    keys.iter().find(|key| key.is_called(name)).copied().ok_or_else(|| SettingsError::UnknownKey {
        origin: origin.to_owned(),
        section: keys.first().map_or(section, |key| key.section).to_owned(),
        key: name.to_owned(),
        known: keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", "),
    })
}

/// True for a section of config.ini, in any case, that is ours.
pub(crate) fn is_ours(section: &str) -> bool {
    has_keys(section) || section.eq_ignore_ascii_case(dialect::PARAMETERS)
}

fn has_keys(section: &str) -> bool {
    CONFIG.iter().any(|key| key.section.eq_ignore_ascii_case(section))
}

/// Where a setting comes from that nobody has set.
const DEFAULT: &str = "built-in default";

/// More than any configuration, in bytes.
const MAX_INI_BYTES: usize = 1024 * 1024;
