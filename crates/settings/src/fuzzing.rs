//! The reader of INI files and what is made of it, for `crates/fuzz` alone.

use crate::error::SettingsError;
use crate::ini::Ini;
use crate::layers::Layers;
use crate::settings::{Effective, effective};
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
        let entries = section.entries.into_iter().map(|entry| (entry.key, entry.value, entry.origin));
        (section.name, entries.collect())
    };
    Ok(sections.into_iter().map(section).collect())
}

/// What is in force when the text is config.ini, and the warnings.
///
/// # Errors
/// [`SettingsError`] for the first mistake; values are not looked at.
pub fn config(text: &str) -> Result<(Vec<Effective>, Vec<String>), SettingsError> {
    let mut warnings = Vec::new();
    let layers = Layers::read(&Sources::default(), Some(Ini::parse("f", text)?), &mut warnings)?;
    Ok((effective(&layers), warnings))
}

/// The functions and their modules when the text is modules.ini.
///
/// # Errors
/// [`SettingsError`] for the first mistake.
pub fn modules(text: &str) -> Result<Vec<(String, String)>, SettingsError> {
    let specs = crate::modules::read(None, Some(Ini::parse("f", text)?))?;
    Ok(specs.into_iter().map(|spec| (spec.function.as_str().to_owned(), spec.module)).collect())
}
