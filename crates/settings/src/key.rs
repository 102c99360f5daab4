//! One key: where it stands, what its value may be, and when a changed value counts.

use std::fmt;

use crate::error::SettingsError;
use crate::kinds::{Kind, Shown};

/// The definition of one key, whose kind fixes the type of its value.
///
/// ```
/// # use msp_settings::{KeyTable, Loaded, Sources, keys::PORT};
/// # let loaded = Loaded::load(&Sources::default(), &KeyTable::core()).unwrap();
/// let port: u16 = loaded.read(&PORT).unwrap();
/// ```
///
/// Who asks for another type is told so by the compiler, and no operator is blamed:
///
/// ```compile_fail
/// # use msp_settings::{KeyTable, Loaded, Sources, keys::PORT};
/// # let loaded = Loaded::load(&Sources::default(), &KeyTable::core()).unwrap();
/// let port: bool = loaded.read(&PORT).unwrap();
/// ```
pub struct Key<T: 'static> {
    definition: Definition,
    kind: &'static dyn Kind<T>,
}

/// What the definitions of all keys have in common, for people.
#[derive(Debug)]
pub struct Definition {
    /// The section; a key of modules.ini stands in the section of its function.
    pub section: &'static str,
    /// The key.
    pub name: &'static str,
    /// The built-in default; empty when there is none.
    pub default: &'static str,
    /// When a changed value counts.
    pub counts: Counts,
    /// What it does.
    pub about: &'static str,
    /// The original's environment variable for it.
    pub variable: Option<&'static str>,
    /// Another name for it, which the original's documents use.
    pub alias: Option<&'static str>,
}

/// When a changed value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// As soon as the configuration is read again.
    AtReload,
    /// When the server starts again.
    AtStart,
}

/// A key of any type.
pub trait AnyKey: Sync {
    /// Its definition.
    fn definition(&self) -> &Definition;

    /// What its value may be, with unit and range.
    fn expects(&self) -> String;

    /// True for the text of a legal value.
    fn accepts(&self, text: &str) -> bool;

    /// True for two texts of the same value.
    fn is_same(&self, one: &str, other: &str) -> bool;

    /// Where its value may be shown.
    fn shown(&self) -> Shown;

    /// True for the path of a file that nobody but the server may read.
    fn names_private_file(&self) -> bool;
}

impl fmt::Debug for dyn AnyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.definition().fmt(f)
    }
}

impl<T: PartialEq> AnyKey for Key<T> {
    fn definition(&self) -> &Definition {
        &self.definition
    }

    fn expects(&self) -> String {
        self.kind.expects()
    }

    fn accepts(&self, text: &str) -> bool {
        self.kind.read(text).is_some()
    }

    fn is_same(&self, one: &str, other: &str) -> bool {
        one == other || self.kind.read(one) == self.kind.read(other)
    }

    fn shown(&self) -> Shown {
        self.kind.shown()
    }

    fn names_private_file(&self) -> bool {
        self.kind.names_private_file()
    }
}

impl<T> Key<T> {
    /// Defines a key.
    #[must_use]
    pub const fn new(
        section: &'static str,
        name: &'static str,
        default: &'static str,
        kind: &'static dyn Kind<T>,
        counts: Counts,
        about: &'static str,
    ) -> Self {
        let definition = Definition { section, name, default, counts, about, variable: None, alias: None };
        Self { definition, kind }
    }

    /// Adds the original's environment variable.
    #[must_use]
    pub const fn variable(self, name: &'static str) -> Self {
        Self { definition: Definition { variable: Some(name), ..self.definition }, ..self }
    }

    /// Adds another name.
    #[must_use]
    pub const fn alias(self, name: &'static str) -> Self {
        Self { definition: Definition { alias: Some(name), ..self.definition }, ..self }
    }
}

impl Definition {
    /// True for its section's name, in any case.
    pub(crate) fn is_in(&self, section: &str) -> bool {
        self.section.eq_ignore_ascii_case(section)
    }

    /// True for one of its names, in any case.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
            || self.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(name))
    }
}

/// A key with the text that is in force for it, and where that came from.
pub struct Setting<'a, T: 'static> {
    pub(crate) key: &'static Key<T>,
    /// The section as the operator knows it, which for modules.ini is the function's name.
    pub(crate) section: &'a str,
    pub(crate) text: &'a str,
    /// File and line, variable, command line, or the built-in default.
    pub origin: &'a str,
}

impl<T> Setting<'_, T> {
    /// Its value.
    ///
    /// # Errors
    /// [`SettingsError::Value`] for a text that is not what the key expects.
    pub fn value(&self) -> Result<T, SettingsError> {
        let Key { definition, kind } = self.key;
        kind.read(self.text).ok_or_else(|| SettingsError::Value {
            origin: self.origin.to_owned(),
            section: self.section.to_owned(),
            key: definition.name,
            value: match kind.shown() {
                Shown::Everywhere => format!("{:?}", self.text.chars().take(80).collect::<String>()),
                Shown::InLists | Shown::Nowhere => "the value".to_owned(),
            },
            expected: kind.expects(),
        })
    }

    /// The section and the key, as messages name them.
    pub(crate) fn name(&self) -> String {
        format!("[{}] {}", self.section, self.key.definition.name)
    }

    /// Where it is set, and its name: `config.ini, line 3: [Ops] TokenFile`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}: {}", self.origin, self.name())
    }

    /// The error for a legal value that does not fit to the others.
    #[must_use]
    pub fn refused(&self, problem: impl Into<String>) -> SettingsError {
        SettingsError::Refused {
            origin: self.origin.to_owned(),
            setting: self.name(),
            problem: problem.into(),
        }
    }

    /// A warning about it.
    #[must_use]
    pub fn warning(&self, what: &str) -> String {
        format!("{}: {what}", self.place())
    }
}

/// Defines each key, `NAME: type = Key::new(…);`, and lists all of them, so that none can be forgotten.
#[macro_export]
macro_rules! keys {
    ($(#[$about:meta])* $visible:vis $list:ident: $($name:ident: $type:ty = $key:expr;)+) => {
        $(
            /// The key that its definition describes.
            $visible static $name: $crate::Key<$type> = $key;
        )+
        $(#[$about])*
        $visible static $list: &[&dyn $crate::AnyKey] = &[$(&$name),+];
    };
}
