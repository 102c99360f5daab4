//! The dialect of the original plugin server's configuration: references and types.
//!
//! `${ENV:NAME}` stands for a variable, `${section:key}` and `${key}` for another value, `$$` for `$`. Then `int:`,
//! `float:`, `bool:` or `list:` before the whole value gives it a type. It holds in the sections that both servers
//! have, and in those that are the plugins' own.

use std::cell::Cell;
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::error::SettingsError;
use crate::ini::{Entry, Ini};
use crate::key_table::KeyTable;
use crate::typed::Typed;

/// The sections of ours that the original has too, as they are compared.
const SHARED: [&str; 7] = ["auth", "cors", "file_server", "network", "paths", PARAMETERS, "ssl"];

/// The section of the plugins' parameters: a line for each file.
pub(crate) const PARAMETERS: &str = "plugin_parms";

/// True for a section, by its name in lower case, that both servers have.
pub(crate) fn is_shared(section: &str) -> bool {
    SHARED.contains(&section)
}

/// The sections of the dialect in both files, those of the original's over those of config.ini.
#[derive(Debug)]
pub(crate) struct Dialect<'a> {
    sections: BTreeMap<&'a str, Merged<'a>>,
    variables: &'a [(String, String)],
    /// Bytes that references may still add, so that a few lines that double each other cannot fill the memory.
    allowance: Cell<usize>,
}

/// One section of both files.
#[derive(Debug, Default)]
struct Merged<'a> {
    written: &'a str,
    entries: BTreeMap<&'a str, &'a Entry>,
}

impl<'a> Dialect<'a> {
    /// Merges the files; a section of config.ini that is ours alone is not of the dialect.
    pub(crate) fn new(
        keys: &KeyTable,
        config: Option<&'a Ini>,
        plugins: Option<&'a Ini>,
        variables: &'a [(String, String)],
    ) -> Self {
        let config = config.into_iter().flat_map(|ini| &ini.sections);
        let config = config.filter(|section| is_shared(&section.name) || !keys.is_ours(&section.name));
        let plugins = plugins.into_iter().flat_map(|ini| &ini.sections);
        let mut sections = BTreeMap::<_, Merged<'_>>::new();
        for section in config.chain(plugins) {
            let merged = sections.entry(&*section.name).or_default();
            merged.written = &section.written;
            merged.entries.extend(section.entries.iter().map(|entry| (&*entry.key, entry)));
        }
        Self { sections, variables, allowance: Cell::new(MAX_REFERRED_BYTES) }
    }

    /// The value of a line in the section of this name.
    pub(crate) fn value(&self, section: &str, entry: &Entry) -> Result<Typed, SettingsError> {
        self.expand(section, entry, &mut Vec::new())
    }

    /// The lines of a section, those of the original's file over those of config.ini.
    pub(crate) fn entries(&self, section: &str) -> impl Iterator<Item = &'a Entry> {
        self.sections.get(section).into_iter().flat_map(|merged| merged.entries.values().copied())
    }

    /// What plugins may read: every section but their parameters, and no key of the door.
    pub(crate) fn for_plugins(&self) -> Result<Value, SettingsError> {
        let sections = self.sections.iter().filter(|(name, _)| **name != PARAMETERS);
        let section = |(name, merged): (&&str, &Merged<'_>)| {
            let entries = merged.entries.iter().filter(|(key, _)| !is_secret(name, key));
            let pair = |(key, entry): (&&str, &&Entry)| {
                Ok(((*key).to_owned(), self.value(name, entry)?.into_json()))
            };
            let entries = entries.map(pair).collect::<Result<Map<_, _>, _>>()?;
            Ok((merged.written.to_owned(), Value::Object(entries)))
        };
        sections.map(section).collect::<Result<Map<_, _>, _>>().map(Value::Object)
    }

    /// `path` holds the names of the section and key of every value on the way, the first one first.
    fn expand<'b>(
        &'b self,
        section: &'b str,
        entry: &'b Entry,
        path: &mut Vec<(&'b str, &'b str)>,
    ) -> Result<Typed, SettingsError> {
        let wrong = |reference: &str, problem| Err(self.wrong(section, entry, reference, problem));
        path.push((section, &entry.key));
        let raw = entry.value.as_str();
        let mut text = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((before, after)) = rest.split_once('$') {
            text.push_str(before);
            let Some(after_brace) = after.strip_prefix('{') else {
                text.push('$');
                rest = after.strip_prefix('$').unwrap_or(after);
                continue;
            };
            let Some((name, after)) = after_brace.split_once('}') else {
                return wrong("${", "has no }; write $$ for a dollar sign");
            };
            let value = match self.refer(section, name, path) {
                Ok(value) => value?,
                Err(problem) => return wrong(&format!("${{{name}}}"), problem),
            };
            // Alone on its line it brings its type along.
            if name.len() + "${}".len() == raw.len() && !matches!(value, Typed::Text(_)) {
                path.pop();
                return Ok(value);
            }
            let value = value.into_text();
            if !self.spend(value.len()) {
                return wrong(&format!("${{{name}}}"), TOO_LARGE);
            }
            text.push_str(&value);
            rest = after;
        }
        path.pop();
        text.push_str(rest);
        Typed::read(text).map_err(|expected| SettingsError::Typed {
            origin: entry.origin.clone(),
            setting: self.shown(section, entry),
            expected,
        })
    }

    /// What a reference stands for; the outer error says what is wrong with the reference itself.
    fn refer<'b>(
        &'b self,
        section: &'b str,
        name: &str,
        path: &mut Vec<(&'b str, &'b str)>,
    ) -> Result<Result<Typed, SettingsError>, &'static str> {
        if let Some(name) = name.strip_prefix("ENV:") {
            let found = self.variables.iter().find(|(variable, _)| variable == name.trim());
            return Ok(Ok(Typed::Text(found.map(|(_, value)| value.clone()).unwrap_or_default())));
        }
        let name = name.to_lowercase();
        let (place, key) =
            name.rsplit_once(':').map_or((section, name.trim()), |(place, key)| (place.trim(), key.trim()));
        let merged = self.sections.get_key_value(place);
        let found = merged.and_then(|(place, merged)| Some((*place, *merged.entries.get(key)?)));
        let (place, entry) = found.ok_or("names no key; write $$ for a dollar sign")?;
        if is_secret(place, key) && path.first().is_none_or(|(root, _)| *root != PARAMETERS) {
            return Err("is the door's key, which may stand in [plugin_parms] only");
        }
        if path.contains(&(place, &*entry.key)) {
            return Err("leads back to itself");
        }
        if path.len() > MAX_DEPTH || !self.spend(entry.value.len() + 1) {
            return Err(TOO_LARGE);
        }
        Ok(self.expand(place, entry, path))
    }

    fn spend(&self, bytes: usize) -> bool {
        let left = self.allowance.get().checked_sub(bytes);
        self.allowance.set(left.unwrap_or(0));
        left.is_some()
    }

    /// A `$` in a key or a password looks like a reference, so where those stand the reference is not told.
    fn wrong(&self, section: &str, entry: &Entry, reference: &str, problem: &'static str) -> SettingsError {
        let told = section != PARAMETERS && !is_secret(section, &entry.key);
        SettingsError::Reference {
            origin: entry.origin.clone(),
            setting: self.shown(section, entry),
            reference: if told { reference.chars().take(80).collect() } else { "${…}".to_owned() },
            problem,
        }
    }

    /// The section, as it is written, and the key.
    fn shown(&self, section: &str, entry: &Entry) -> String {
        let section = self.sections.get(section).map_or(section, |merged| merged.written);
        format!("[{section}] {}", entry.key)
    }
}

/// True for a key, by its names in lower case, that holds the door's own key or leads to it.
fn is_secret(section: &str, key: &str) -> bool {
    section == "auth" && matches!(key, "apikey" | "apikeyfile")
}

const TOO_LARGE: &str = "grows too large with what it refers to";

/// Values on the way from one to the last that it refers to.
const MAX_DEPTH: usize = 32;

/// What references may add to a configuration that is gone through once.
const MAX_REFERRED_BYTES: usize = 1024 * 1024;
