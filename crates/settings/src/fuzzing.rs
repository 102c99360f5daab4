//! The reader of INI files and what is made of it, for `crates/fuzz` alone.

use crate::error::SettingsError;
use crate::ini::{Form, Ini};
use crate::key_table::KeyTable;
use crate::layers::Files;
use crate::loaded::Loaded;
use crate::settings::Effective;
use crate::sources::Sources;

/// One section: its name, then its keys, each with its value and the place it stands at.
pub type Section = (String, Vec<(String, String, String)>);

/// Reads a file's text.
///
/// # Errors
/// [`SettingsError`] for the first line that is wrong.
pub fn ini(text: &str) -> Result<Vec<Section>, SettingsError> {
    let sections = Ini::parse("f", text)?.sections;
    let section = |section: crate::ini::Section| {
        let entries =
            section.entries.into_iter().map(|entry| (entry.key, entry.value.to_string(), entry.origin));
        (section.name, entries.collect())
    };
    Ok(sections.into_iter().map(section).collect())
}

/// What is in force when the text is config.ini, and the warnings while the plugin door is off.
///
/// # Errors
/// [`SettingsError`] for the first mistake; values are not looked at.
pub fn config(keys: &KeyTable, text: &str) -> Result<(Vec<Effective>, Vec<String>), SettingsError> {
    let files = Files { config: Some(Ini::parse("f", text)?), plugins: None };
    let loaded = Loaded::of(&Sources::default(), keys, files)?;
    let warnings = [loaded.warnings.clone(), loaded.foreign()].concat();
    Ok((loaded.effective(), warnings))
}

/// What is in force when the text is a configuration of the original plugin server, what its plugins may read (without
/// their parameters), and the warnings.
///
/// # Errors
/// [`SettingsError`] for the first mistake; values of ours are not looked at.
pub fn plugins(
    keys: &KeyTable,
    text: &str,
) -> Result<(Vec<Effective>, serde_json::Value, Vec<String>), SettingsError> {
    let files = Files { config: None, plugins: Some(Ini::parse_as(Form::Original, "f", text)?) };
    let loaded = Loaded::of(&Sources::default(), keys, files)?;
    loaded.plugin_parameters()?;
    Ok((loaded.effective(), loaded.for_plugins()?, loaded.warnings))
}

/// The functions and their modules when the text is modules.ini.
///
/// # Errors
/// [`SettingsError`] for the first mistake.
pub fn modules(text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let specs = crate::modules::read(None, Some(&Ini::parse("f", text)?))?;
    Ok(specs.into_iter().map(|spec| (spec.function.as_str().to_owned(), spec.module)).collect())
}
