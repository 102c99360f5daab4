//! What values may be: each kind says it for people, and makes a value of a text.

use std::fmt::Display;
use std::net::IpAddr;
use std::path::{Component, PathBuf};
use std::time::Duration;

use msp_core::ConfinementPath;

use crate::token::Token;
use crate::web_origin::host_name;

/// A kind of values of type `T`.
pub trait Kind<T>: Sync {
    /// The value that a text stands for; none when there is no such value.
    fn read(&self, text: &str) -> Option<T>;

    /// What the text may be, with its unit and range.
    fn expects(&self) -> String;

    /// Where the text may be shown.
    fn shown(&self) -> Shown {
        Shown::Everywhere
    }
}

/// Where a value may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// In messages too, even when it is wrong.
    Everywhere,
    /// Where all settings are listed: a legal one holds no password, a wrong one may.
    InLists,
    /// Nowhere.
    Nowhere,
}

/// A value of this kind, or nothing when the text is empty.
#[derive(Debug)]
pub struct Optional<K>(pub K);

impl<T, K: Kind<T>> Kind<Option<T>> for Optional<K> {
    fn read(&self, text: &str) -> Option<Option<T>> {
        if text.is_empty() { Some(None) } else { self.0.read(text).map(Some) }
    }

    fn expects(&self) -> String {
        self.0.expects() + OR_EMPTY
    }

    fn shown(&self) -> Shown {
        self.0.shown()
    }
}

/// An IP address.
#[derive(Debug)]
pub struct Address;

impl Kind<IpAddr> for Address {
    fn read(&self, text: &str) -> Option<IpAddr> {
        text.parse().ok()
    }

    fn expects(&self) -> String {
        "an IP address".to_owned()
    }
}

/// One of these words, in any case, and what it stands for.
#[derive(Debug)]
pub struct Choice<T: 'static>(pub &'static [(&'static str, T)]);

impl<T: Copy + Sync> Kind<T> for Choice<T> {
    fn read(&self, text: &str) -> Option<T> {
        self.0.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value)
    }

    fn expects(&self) -> String {
        self.0.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or ")
    }
}

/// Absolute paths that a function may use, without `..`, so that what they lead to can be told from them.
#[derive(Debug)]
pub struct ConfinementPaths;

impl Kind<Vec<ConfinementPath>> for ConfinementPaths {
    fn read(&self, text: &str) -> Option<Vec<ConfinementPath>> {
        let parts = text.split(':').map(str::trim).filter(|part| !part.is_empty());
        let path = |part: &str| {
            let (path, writable) = part.strip_prefix('+').map_or((part, false), |path| (path, true));
            let path = PathBuf::from(path);
            let legal = path.is_absolute() && !path.components().any(|part| part == Component::ParentDir);
            (legal && !part.contains('\0')).then_some(ConfinementPath { path, writable })
        };
        parts.map(path).collect()
    }

    fn expects(&self) -> String {
        let paths = "absolute paths joined by ':', each to be read, or with + before it to be changed too";
        paths.to_owned() + OR_EMPTY
    }
}

/// A file's name, without a folder.
#[derive(Debug)]
pub struct FileName;

impl Kind<String> for FileName {
    fn read(&self, text: &str) -> Option<String> {
        let legal = !matches!(text, "" | "." | "..") && !text.contains(['/', '\0']);
        legal.then(|| text.to_owned())
    }

    fn expects(&self) -> String {
        "a file's name".to_owned()
    }
}

/// Folders joined by `:`, one or more.
#[derive(Debug)]
pub struct Folders;

impl Kind<Vec<PathBuf>> for Folders {
    fn read(&self, text: &str) -> Option<Vec<PathBuf>> {
        let legal = !text.is_empty() && !text.contains('\0');
        // An empty part would mean the working folder.
        let folders = std::env::split_paths(text).filter(|folder| !folder.as_os_str().is_empty());
        legal.then(|| folders.collect())
    }

    fn expects(&self) -> String {
        "one folder or more, joined by ':'".to_owned()
    }
}

/// Names of hosts, each in its one spelling.
#[derive(Debug)]
pub struct Hosts;

impl Kind<Vec<String>> for Hosts {
    fn read(&self, text: &str) -> Option<Vec<String>> {
        text.split_whitespace().map(|word| host_name(word.strip_suffix('.').unwrap_or(word))).collect()
    }

    fn expects(&self) -> String {
        List("names of hosts, without a port").expects()
    }
}

/// Words of this kind, separated by blanks.
#[derive(Debug)]
pub struct List(pub &'static str);

impl Kind<Vec<String>> for List {
    fn read(&self, text: &str) -> Option<Vec<String>> {
        Some(text.split_whitespace().map(str::to_owned).collect())
    }

    fn expects(&self) -> String {
        format!("{}, separated by blanks{OR_EMPTY}", self.0)
    }
}

/// A whole number from the first to the second, of the unit.
#[derive(Debug)]
pub struct Number<T>(pub T, pub T, pub &'static str);

impl<T: Whole> Kind<T> for Number<T> {
    fn read(&self, text: &str) -> Option<T> {
        within(digits(text)?, self.0, self.1)
    }

    fn expects(&self) -> String {
        let Self(min, max, unit) = self;
        match *unit {
            "" => format!("a whole number from {min} to {max}"),
            unit => format!("a whole number of {unit} from {min} to {max}"),
        }
    }
}

/// A path to what this says.
#[derive(Debug)]
pub struct PathTo(pub &'static str);

impl Kind<PathBuf> for PathTo {
    fn read(&self, text: &str) -> Option<PathBuf> {
        (!text.is_empty() && !text.contains('\0')).then(|| text.into())
    }

    fn expects(&self) -> String {
        self.0.to_owned()
    }
}

/// The address of a web server, which can be extended by a path; without a slash at its end.
#[derive(Debug)]
pub struct PublicUrl;

impl Kind<String> for PublicUrl {
    fn read(&self, text: &str) -> Option<String> {
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let stray = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '\\');
        let legal = !rest.starts_with(['/', ':']) && !rest.is_empty() && !rest.contains(stray);
        legal.then(|| text.trim_end_matches('/').to_owned())
    }

    fn expects(&self) -> String {
        "an address like https://share.example.net, without user, query and blanks".to_owned()
    }

    fn shown(&self) -> Shown {
        Shown::InLists
    }
}

/// Seconds, from the first to the second.
#[derive(Debug)]
pub struct Seconds(pub u64, pub u64);

impl Kind<Duration> for Seconds {
    fn read(&self, text: &str) -> Option<Duration> {
        Number(self.0, self.1, "").read(text).map(Duration::from_secs)
    }

    fn expects(&self) -> String {
        Number(self.0, self.1, "seconds").expects()
    }
}

/// What only the operator and callers know; nothing when it is empty.
#[derive(Debug)]
pub struct Secret;

impl Kind<Option<Token>> for Secret {
    fn read(&self, text: &str) -> Option<Option<Token>> {
        Some(Some(Token::from_text(text)).filter(|token| !token.is_empty()))
    }

    fn expects(&self) -> String {
        "a secret".to_owned() + OR_EMPTY
    }

    fn shown(&self) -> Shown {
        Shown::Nowhere
    }
}

/// A part of a whole.
#[derive(Debug)]
pub struct Share;

impl Kind<f64> for Share {
    fn read(&self, text: &str) -> Option<f64> {
        let share: f64 = match text.split_once('/') {
            None => text.parse().ok()?,
            Some((part, whole)) => part.trim().parse::<f64>().ok()? / whole.trim().parse::<f64>().ok()?,
        };
        (share > 0.0 && share <= 1.0).then_some(share)
    }

    fn expects(&self) -> String {
        "a share above 0 and at most 1, such as 1/16 or 0.0625".to_owned()
    }
}

/// Bytes from the first to the second, or KiB and MiB with `K` and `M`.
#[derive(Debug)]
pub struct Size<T>(pub T, pub T);

impl<T: Whole> Kind<T> for Size<T> {
    fn read(&self, text: &str) -> Option<T> {
        let (number, unit) = match text.char_indices().last() {
            Some((at, 'k' | 'K')) => (text.get(..at)?, KIB),
            Some((at, 'm' | 'M')) => (text.get(..at)?, MIB),
            _ => (text, 1),
        };
        within(digits(number)?.checked_mul(unit)?, self.0, self.1)
    }

    fn expects(&self) -> String {
        format!("a size from {} to {} (bytes, or with K or M)", size_text(self.0), size_text(self.1))
    }
}

/// The address of a store, of this form: text up to `<`, then anything. Others hold passwords.
#[derive(Debug)]
pub struct Store(pub &'static str);

impl Kind<String> for Store {
    fn read(&self, text: &str) -> Option<String> {
        let legal = match self.0.split_once('<') {
            None => text == self.0,
            Some((start, _)) => text.strip_prefix(start).is_some_and(|rest| !rest.is_empty()),
        };
        legal.then(|| text.to_owned())
    }

    fn expects(&self) -> String {
        self.0.to_owned()
    }

    fn shown(&self) -> Shown {
        Shown::InLists
    }
}

/// On or off, in the words of ours and of the original plugin server.
///
/// There any other word means off. Here it is a mistake: `enabled=ture` must not serve secrets over plain HTTP.
#[derive(Debug)]
pub struct Switch;

impl Kind<bool> for Switch {
    fn read(&self, text: &str) -> Option<bool> {
        match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "true" | "1" | "enabled" | "enable" => Some(true),
            "no" | "off" | "false" | "0" | "disabled" | "disable" => Some(false),
            _ => None,
        }
    }

    fn expects(&self) -> String {
        "yes or no".to_owned()
    }
}

/// Text of any length; what this says of it.
#[derive(Debug)]
pub struct Text(pub &'static str);

impl Kind<String> for Text {
    fn read(&self, text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn expects(&self) -> String {
        self.0.to_owned()
    }
}

/// What a number or a size is kept in: an unsigned integer, so that no range can be larger than its type.
pub trait Whole: Copy + Display + Ord + Sync + TryFrom<u64> + TryInto<u64> {}

impl<T: Copy + Display + Ord + Sync + TryFrom<u64> + TryInto<u64>> Whole for T {}

/// The number as its type, when it is in the range.
fn within<T: Whole>(number: u64, min: T, max: T) -> Option<T> {
    T::try_from(number).ok().filter(|number| (min..=max).contains(number))
}

/// Only digits: no sign, no space, no other base.
fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn size_text<T: Whole>(bytes: T) -> String {
    match bytes.try_into() {
        Ok(bytes) if bytes != 0 && bytes % MIB == 0 => format!("{}M", bytes / MIB),
        Ok(bytes) if bytes != 0 && bytes % KIB == 0 => format!("{}K", bytes / KIB),
        _ => bytes.to_string(),
    }
}

/// Bytes in a `K`.
const KIB: u64 = 1024;

/// Bytes in an `M`.
const MIB: u64 = 1024 * KIB;

const OR_EMPTY: &str = ", or empty";
