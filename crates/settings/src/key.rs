//! One setting: where it stands, what it may be, and how its text becomes a value.

use std::net::IpAddr;
use std::path::{Component, PathBuf};
use std::time::Duration;

use msp_core::ConfinementPath;

use crate::error::SettingsError;
use crate::web_origin::host_name;

/// One key of the configuration, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDoc {
    /// The section; a key of modules.ini stands in the section of its function.
    pub section: &'static str,
    /// The key.
    pub key: &'static str,
    /// The built-in default; empty when there is none.
    pub default: &'static str,
    /// What it may be, with its unit and range.
    pub expects: String,
    /// What it does.
    pub about: &'static str,
    /// The original's environment variable for it.
    pub variable: Option<&'static str>,
    /// Another name for it.
    pub alias: Option<&'static str>,
}

/// The definition of one key.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) section: &'static str,
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    kind: Kind,
    pub(crate) about: &'static str,
    pub(crate) variable: Option<&'static str>,
    /// Another name for it, which the original's documents use.
    alias: Option<&'static str>,
}

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// An IP address.
    Address,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A file's name, without a folder.
    FileName,
    /// Words of this kind, separated by blanks; may be empty.
    List(&'static str),
    /// A whole number from the first to the second, of the unit.
    Number(u64, u64, &'static str),
    /// Files and folders that a function may use.
    ConfinementSpec,
    /// Text of any length, for people.
    Text,
    /// A file, a folder or a list of them, as described; must not be empty unless the default is.
    Path(&'static str),
    /// The address of a web server, for clients.
    PublicUrl,
    /// What only the operator and callers know; kept apart and never shown.
    Secret,
    /// A part of a whole.
    Share,
    /// Bytes from the first to the second.
    Size(u64, u64),
    /// The address of a store, of this form: text up to `<`, then anything. Others hold passwords: never shown.
    Store(&'static str),
    /// On or off.
    Switch,
    /// A user of the machine.
    User,
}

impl Key {
    pub(crate) const fn new(
        section: &'static str,
        name: &'static str,
        default: &'static str,
        kind: Kind,
        about: &'static str,
    ) -> Self {
        Self { section, name, default, kind, about, variable: None, alias: None }
    }

    /// Adds the original's environment variable.
    pub(crate) const fn variable(self, name: &'static str) -> Self {
        Self { variable: Some(name), ..self }
    }

    /// Adds another name.
    pub(crate) const fn alias(self, name: &'static str) -> Self {
        Self { alias: Some(name), ..self }
    }

    /// True for one of its names, in any case.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(name))
    }

    pub(crate) fn doc(&self) -> KeyDoc {
        KeyDoc {
            section: self.section,
            key: self.name,
            default: self.default,
            expects: self.expects(),
            about: self.about,
            variable: self.variable,
            alias: self.alias,
        }
    }

    fn expects(&self) -> String {
        let value = match self.kind {
            Kind::Address => "an IP address".to_owned(),
            Kind::Choice(words) => words.join(" or "),
            Kind::FileName => "a file's name".to_owned(),
            Kind::List(what) => format!("{what}, separated by blanks"),
            Kind::Number(min, max, "") => format!("a whole number from {min} to {max}"),
            Kind::Number(min, max, unit) => format!("a whole number of {unit} from {min} to {max}"),
            Kind::Path(what) => what.to_owned(),
            Kind::PublicUrl => {
                "an address like https://share.example.net, without user, query and blanks".to_owned()
            }
            Kind::ConfinementSpec => {
                "absolute paths joined by ':', each to be read, or with + before it to be changed too"
                    .to_owned()
            }
            Kind::Secret => "a secret".to_owned(),
            Kind::Share => "a share above 0 and at most 1, such as 1/16 or 0.0625".to_owned(),
            Kind::Size(min, max) => {
                format!("a size from {} to {} (bytes, or with K or M)", size_text(min), size_text(max))
            }
            Kind::Store(form) => form.to_owned(),
            Kind::Switch => "yes or no".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::User => "a user's name or number".to_owned(),
        };
        if self.default.is_empty() && !matches!(self.kind, Kind::Text) { value + ", or empty" } else { value }
    }
}

/// A key with the text that is in force for it, and where that came from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting<'a> {
    pub(crate) key: &'static Key,
    /// The section as the operator knows it, which for modules.ini is the function's name.
    pub(crate) section: &'a str,
    pub(crate) text: &'a str,
    pub(crate) origin: &'a str,
}

impl Setting<'_> {
    pub(crate) fn address(&self) -> Result<IpAddr, SettingsError> {
        self.text.parse().map_err(|_| self.wrong())
    }

    pub(crate) fn choice(&self) -> Result<&'static str, SettingsError> {
        let Kind::Choice(words) = self.key.kind else { return Err(self.wrong()) };
        words.iter().find(|word| word.eq_ignore_ascii_case(self.text)).copied().ok_or_else(|| self.wrong())
    }

    /// One of the words, or nothing.
    pub(crate) fn optional_choice(&self) -> Result<Option<&'static str>, SettingsError> {
        if self.text.is_empty() { Ok(None) } else { self.choice().map(Some) }
    }

    /// A number or a size within its range, as the type that holds it.
    pub(crate) fn number<T: TryFrom<u64>>(&self) -> Result<T, SettingsError> {
        let (read, min, max) = match self.key.kind {
            Kind::Number(min, max, _) => (digits(self.text), min, max),
            Kind::Size(min, max) => (size(self.text), min, max),
            _ => (None, 0, 0),
        };
        let within = read.filter(|number| (min..=max).contains(number));
        within.and_then(|number| T::try_from(number).ok()).ok_or_else(|| self.wrong())
    }

    /// A number or a size, or nothing.
    pub(crate) fn optional_number<T: TryFrom<u64>>(&self) -> Result<Option<T>, SettingsError> {
        if self.text.is_empty() { Ok(None) } else { self.number().map(Some) }
    }

    pub(crate) fn seconds(&self) -> Result<Duration, SettingsError> {
        self.number().map(Duration::from_secs)
    }

    pub(crate) fn path(&self) -> Result<PathBuf, SettingsError> {
        self.optional_path()?.ok_or_else(|| self.wrong())
    }

    pub(crate) fn optional_path(&self) -> Result<Option<PathBuf>, SettingsError> {
        if self.text.contains('\0') {
            return Err(self.wrong());
        }
        Ok((!self.text.is_empty()).then(|| PathBuf::from(self.text)))
    }

    /// The name of a file in a folder that is known from elsewhere.
    pub(crate) fn file_name(&self) -> Result<String, SettingsError> {
        let legal = !matches!(self.text, "" | "." | "..") && !self.text.contains(['/', '\0']);
        if legal { Ok(self.text.to_owned()) } else { Err(self.wrong()) }
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = &str> {
        self.text.split_whitespace()
    }

    /// Names of hosts, each in its one spelling.
    pub(crate) fn hosts(&self) -> Result<Vec<String>, SettingsError> {
        let name = |word: &str| host_name(word.strip_suffix('.').unwrap_or(word)).ok_or_else(|| self.wrong());
        self.list().map(name).collect()
    }

    /// Absolute paths without `..`, so that what they lead to can be told from them.
    pub(crate) fn reach(&self) -> Result<Vec<ConfinementPath>, SettingsError> {
        let parts = self.text.split(':').map(str::trim).filter(|part| !part.is_empty());
        let path = |part: &str| {
            let (path, writable) = part.strip_prefix('+').map_or((part, false), |path| (path, true));
            let path = PathBuf::from(path);
            let legal = path.is_absolute() && !path.components().any(|part| part == Component::ParentDir);
            if legal && !part.contains('\0') {
                Ok(ConfinementPath { path, writable })
            } else {
                Err(self.wrong())
            }
        };
        parts.map(path).collect()
    }

    pub(crate) fn share(&self) -> Result<f64, SettingsError> {
        let share = match self.text.split_once('/') {
            None => self.text.parse().ok(),
            Some((part, whole)) => part
                .trim()
                .parse::<f64>()
                .ok()
                .zip(whole.trim().parse::<f64>().ok())
                .map(|(part, whole)| part / whole),
        };
        share.filter(|share| *share > 0.0 && *share <= 1.0).ok_or_else(|| self.wrong())
    }

    /// On or off, in the words of ours and of the original plugin server.
    ///
    /// There any other word means off. Here it is a mistake: `enabled=ture` must not serve secrets over plain HTTP.
    pub(crate) fn switch(&self) -> Result<bool, SettingsError> {
        match self.text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" | "1" | "enabled" | "enable" => Ok(true),
            "no" | "off" | "false" | "0" | "disabled" | "disable" => Ok(false),
            _ => Err(self.wrong()),
        }
    }

    /// A web address that can be extended by a path, or nothing.
    pub(crate) fn optional_url(&self) -> Result<Option<String>, SettingsError> {
        if self.text.is_empty() {
            return Ok(None);
        }
        let rest = self.text.strip_prefix("https://").or_else(|| self.text.strip_prefix("http://"));
        let stray = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '\\');
        match rest {
            Some(rest) if !rest.starts_with(['/', ':']) && !rest.is_empty() && !rest.contains(stray) => {
                Ok(Some(self.text.trim_end_matches('/').to_owned()))
            }
            _ => Err(self.wrong()),
        }
    }

    /// The address of a store.
    pub(crate) fn store(&self) -> Result<String, SettingsError> {
        let Kind::Store(form) = self.key.kind else { return Err(self.wrong()) };
        let legal = match form.split_once('<') {
            None => self.text == form,
            Some((start, _)) => self.text.strip_prefix(start).is_some_and(|rest| !rest.is_empty()),
        };
        if legal { Ok(self.text.to_owned()) } else { Err(self.wrong()) }
    }

    /// The error for a switch that is on without what it takes.
    pub(crate) fn needs(&self, needed: &'static str) -> SettingsError {
        let origin = self.origin.to_owned();
        SettingsError::Needs { origin, section: self.key.section, key: self.key.name, needed }
    }

    /// The error for a value that is not what the key expects.
    pub(crate) fn wrong(&self) -> SettingsError {
        let value = match self.key.kind {
            Kind::PublicUrl | Kind::Secret | Kind::Store(_) => "the value".to_owned(),
            _ => format!("{:?}", self.text.chars().take(80).collect::<String>()),
        };
        SettingsError::Value {
            origin: self.origin.to_owned(),
            section: self.section.to_owned(),
            key: self.key.name,
            value,
            expected: self.key.expects(),
        }
    }
}

/// Only digits: no sign, no space, no other base.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Bytes, or KiB and MiB with `K` and `M`.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (text.get(..at)?, KIB),
        Some((at, 'm' | 'M')) => (text.get(..at)?, MIB),
        _ => (text, 1),
    };
    digits(number)?.checked_mul(unit)
}

fn size_text(bytes: u64) -> String {
    match bytes {
        bytes if bytes != 0 && bytes % MIB == 0 => format!("{}M", bytes / MIB),
        bytes if bytes != 0 && bytes % KIB == 0 => format!("{}K", bytes / KIB),
        bytes => bytes.to_string(),
    }
}

/// Bytes in a `K`.
pub(crate) const KIB: u64 = 1024;

/// Bytes in an `M`.
pub(crate) const MIB: u64 = 1024 * KIB;
