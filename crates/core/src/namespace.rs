//! Under which first part of its REST address a function is called: `/<namespace>/<name>`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// The namespace of every function that names no other.
pub const NAMESPACE: &str = "msp";

/// A namespace: 1 to 32 of the characters `a-z 0-9 _ -`, starting with a letter.
///
/// Grants and the audit name the function alone; no two functions have one name, whatever their namespaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace(Arc<str>);

/// That a text is no namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no namespace: it is {}", Namespace::RULE)]
pub struct NamespaceError;

impl Namespace {
    /// The longest one, in bytes.
    pub const MAX_BYTES: usize = 32;

    /// What a namespace is, for people.
    pub const RULE: &str = "1 to 32 lower-case letters, digits, '_' and '-', starting with a letter";

    /// The namespace as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for that of every function that names no other.
    #[must_use]
    pub fn is_default(&self) -> bool {
        self.as_str() == NAMESPACE
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Self(NAMESPACE.into())
    }
}

impl FromStr for Namespace {
    type Err = NamespaceError;

    fn from_str(text: &str) -> Result<Self, NamespaceError> {
        let legal = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '_' | '-');
        let starts_right = text.starts_with(|c: char| c.is_ascii_lowercase());
        if !starts_right || text.len() > Self::MAX_BYTES || !text.chars().all(legal) {
            return Err(NamespaceError);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Namespace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_19_a_namespace_is_a_short_lower_case_word() {
        for legal in ["a", "msp", "tools", "a1", "my_box-2", &"x".repeat(32)] {
            assert_eq!(legal.parse::<Namespace>().unwrap().as_str(), legal);
        }
        for illegal in ["", "1a", "_a", "-a", "A", "tOols", "a.b", "a/b", "a b", "ä", "a\n", &"x".repeat(33)]
        {
            assert_eq!(illegal.parse::<Namespace>(), Err(NamespaceError), "{illegal:?}");
        }
        let right =
            "no namespace: it is 1 to 32 lower-case letters, digits, '_' and '-', starting with a letter";
        assert_eq!(NamespaceError.to_string(), right);
    }

    #[test]
    fn accounts_19_what_names_no_namespace_is_in_msp() {
        assert_eq!(Namespace::default(), "msp".parse().unwrap());
        assert!(Namespace::default().is_default() && !"mspx".parse::<Namespace>().unwrap().is_default());
    }
}
