//! What values may be: each kind says it for people, and makes a value of a text.

mod numbers;

use std::net::IpAddr;
use std::path::{Component, PathBuf};

use msp_core::ConfinementPath;

use crate::token::Token;
use crate::web_origin::host_name;

pub use self::numbers::{Number, Seconds, Share, Size, Whole};

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

    /// True for the path of a file that nobody but the server may read.
    fn names_private_file(&self) -> bool {
        false
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

    fn names_private_file(&self) -> bool {
        self.0.names_private_file()
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

/// A path to a file with a key, which nobody but the server may read.
#[derive(Debug)]
pub struct PrivateFile;

impl Kind<PathBuf> for PrivateFile {
    fn read(&self, text: &str) -> Option<PathBuf> {
        FILE.read(text)
    }

    fn expects(&self) -> String {
        FILE.expects()
    }

    fn names_private_file(&self) -> bool {
        true
    }
}

/// A path to a file.
pub const FILE: PathTo = PathTo("a file");

/// A path to a folder.
pub const FOLDER: PathTo = PathTo("a folder");

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

const OR_EMPTY: &str = ", or empty";
