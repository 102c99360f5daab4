//! The reader of INI files: no line is lost, and a message is one line.

use std::collections::BTreeSet;

use msp_settings::KeyTable;
use msp_settings::fuzzing::{Section, config, ini, modules, plugins};
use msp_settings::{Effective, SettingsError};

use crate::bounded;

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    check_plugins(text);
    let sections = match bounded(data, || ini(text)) {
        Ok(sections) => sections,
        Err(error) => return check_message(&error),
    };
    check_lines(text, &sections);
    let written = write(&sections);
    assert_eq!(ini(&written).map(|again| names_and_values(&again)).ok(), Some(names_and_values(&sections)));
    match config(&keys(), text) {
        Ok((effective, warnings)) => {
            warnings.iter().for_each(|line| check_line(line));
            check_in_force(&sections, &effective, &warnings);
        }
        Err(error) => check_message(&error),
    }
    match modules(text) {
        Ok(functions) => {
            let listed =
                sections.iter().find(|(name, _)| name == "modules").map(|(_, entries)| entries.len());
            assert_eq!(Some(functions.len()), listed);
            assert!(functions.iter().all(|(_, module)| !module.contains('/') && !module.contains("..")));
        }
        Err(error) => check_message(&error),
    }
}

/// All keys that a server knows.
fn keys() -> KeyTable {
    KeyTable::with_doors(&[msp_door_plugin::KEYS])
}

/// A file of the original plugin server: nobody is shown the door's key.
fn check_plugins(text: &str) {
    match plugins(&keys(), text) {
        Ok((effective, config, warnings)) => {
            warnings.iter().for_each(|line| check_line(line));
            let sections = config.as_object().unwrap_or_else(|| panic!("no object: {config}"));
            let auth = sections.iter().filter(|(name, _)| name.eq_ignore_ascii_case("auth"));
            auth.for_each(|(_, auth)| assert!(auth.get("apikey").is_none()));
            assert!(!sections.keys().any(|name| name.eq_ignore_ascii_case("plugin_parms")));
            let key = effective.iter().find(|row| row.key == "apikey");
            assert!(key.is_some_and(|row| ["", "(set)"].contains(&&*row.value)));
        }
        Err(error) => check_message(&error),
    }
}

/// Every line that is neither empty nor a comment is a section or a setting, with a name of its own.
fn check_lines(text: &str, sections: &[Section]) {
    let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
    let count = lines.filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])).count();
    assert_eq!(sections.iter().map(|(_, entries)| 1 + entries.len()).sum::<usize>(), count);
    let names: BTreeSet<_> = sections.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), sections.len());
    for (_, entries) in sections {
        let keys: BTreeSet<_> = entries.iter().map(|(key, ..)| key).collect();
        assert_eq!(keys.len(), entries.len());
    }
}

/// A setting is in force under the line where it stands, or its section is said not to be ours.
fn check_in_force(sections: &[Section], effective: &[Effective], warnings: &[String]) {
    for (section, entries) in sections {
        let foreign = format!(": [{section}] is not read by this version");
        if warnings.iter().any(|line| line.ends_with(&foreign)) {
            continue;
        }
        // A line for each of the plugins' files.
        if section == "plugin_parms" {
            continue;
        }
        let dialect = DIALECT.contains(&&**section);
        for (key, value, origin) in entries {
            let called = |row: &Effective| {
                row.key.eq_ignore_ascii_case(key) || ALIASES.contains(&(&**section, &**key, row.key))
            };
            let row = effective.iter().find(|row| row.section.eq_ignore_ascii_case(section) && called(row));
            assert_eq!(row.map(|row| &row.origin), Some(origin));
            // There a reference or a type makes another text of it, and the key is not shown.
            if !(dialect && (value.contains(['$', ':']) || key == "apikey")) {
                assert_eq!(row.map(|row| &row.value), Some(value));
            }
        }
    }
}

fn write(sections: &[Section]) -> String {
    let mut text = String::new();
    for (name, entries) in sections {
        text.push_str(&format!("[{name}]\n"));
        for (key, value, _) in entries {
            text.push_str(&format!("{key}={}\n", value.replace('%', "%%")));
        }
    }
    text
}

fn names_and_values(sections: &[Section]) -> Vec<(String, Vec<(String, String)>)> {
    let pairs = |entries: &[(String, String, String)]| {
        entries.iter().map(|(key, value, _)| (key.clone(), value.clone())).collect()
    };
    sections.iter().map(|(name, entries)| (name.clone(), pairs(entries))).collect()
}

fn check_message(error: &SettingsError) {
    check_line(&error.to_string());
}

/// Nothing in a message starts another line or steers a terminal.
fn check_line(line: &str) {
    assert!(!line.is_empty() && !line.contains(|c: char| c.is_control() && c != '\t'), "{line:?}");
}

/// The sections of ours where values may hold references and types.
const DIALECT: [&str; 6] = ["auth", "cors", "file_server", "network", "paths", "ssl"];

/// Other names of keys: the section, that name, and the key.
const ALIASES: [(&str, &str, &str); 2] = [("network", "listen", "port"), ("paths", "pluginpath", "plugins")];
