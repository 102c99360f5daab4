//! Names that came from outside and are legal.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The name of a function: 1 to 128 bytes of UTF-8 without control characters.
///
/// Comparison is exact; the reader of modules.ini lower-cases what it reads (docs/PROTOCOL.md).
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionName(Arc<str>);

impl FunctionName {
    /// The longest name, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 128;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FunctionName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        check(text, Self::MAX_BYTES, |c| !c.is_control())?;
        Ok(Self(text.into()))
    }
}

/// The name of a linked client: 1 to 64 of the characters `A-Z a-z 0-9 . _ -`, not starting with `-` or `.`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientName(Arc<str>);

impl ClientName {
    /// The longest name, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClientName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        check(text, Self::MAX_BYTES, legal).map_err(|error| match error {
            NameError::Control => NameError::Character,
            other => other,
        })?;
        if text.starts_with(['-', '.']) {
            return Err(NameError::Start);
        }
        Ok(Self(text.into()))
    }
}

/// The name of a user's account: as a client's name, in lower case. Names compare exactly: `Alice` is no user's name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(Arc<str>);

impl UserName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let ClientName(name) = text.parse()?;
        if text.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(NameError::UpperCase);
        }
        Ok(Self(name))
    }
}

impl From<UserName> for ClientName {
    fn from(UserName(name): UserName) -> Self {
        Self(name)
    }
}

fn check(text: &str, max_bytes: usize, legal: impl Fn(char) -> bool) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > max_bytes {
        return Err(NameError::TooLong(max_bytes));
    }
    if !text.chars().all(legal) {
        return Err(NameError::Control);
    }
    Ok(())
}

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A client's name holds a character that it may not hold.
    #[error("the name holds a character that is not allowed; letters, digits, '.', '_' and '-' are right")]
    Character,
    /// A function's name holds a control character.
    #[error("the name holds a control character")]
    Control,
    /// No characters at all.
    #[error("the name is empty")]
    Empty,
    /// A client's name starts with a dot or a hyphen.
    #[error("the name starts with '.' or '-'; a letter, a digit or '_' is right there")]
    Start,
    /// More bytes than the limit, which is given.
    #[error("the name is longer than {0} bytes")]
    TooLong(usize),
    /// A user's name holds a capital letter.
    #[error("the name holds a capital letter; user names are in lower case")]
    UpperCase,
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), self.as_str())
            }
        }
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
text_form!(FunctionName);
text_form!(ClientName);
text_form!(UserName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_name_holds_no_control_characters_and_at_most_128_bytes() {
        assert!("grüße".parse::<FunctionName>().is_ok());
        assert_eq!("".parse::<FunctionName>(), Err(NameError::Empty));
        assert_eq!("a\nb".parse::<FunctionName>(), Err(NameError::Control));
        assert!("x".repeat(128).parse::<FunctionName>().is_ok());
        assert_eq!("x".repeat(129).parse::<FunctionName>(), Err(NameError::TooLong(128)));
    }

    #[test]
    fn a_client_name_is_safe_in_a_file_name_and_on_a_command_line() {
        assert!("laptop-2.home_lan".parse::<ClientName>().is_ok());
        for bad in ["-x", ".x"] {
            assert_eq!(bad.parse::<ClientName>(), Err(NameError::Start), "{bad}");
        }
        for bad in ["a b", "a/b", "ü", "a\nb"] {
            assert_eq!(bad.parse::<ClientName>(), Err(NameError::Character), "{bad}");
        }
    }

    #[test]
    fn a_user_name_is_a_client_name_in_lower_case() {
        assert_eq!(ClientName::from("kim.b-2".parse::<UserName>().unwrap()), "kim.b-2".parse().unwrap());
        assert_eq!("Kim".parse::<UserName>(), Err(NameError::UpperCase));
        for bad in ["kim ", " kim", "kïm", "kim\0"] {
            assert_eq!(bad.parse::<UserName>(), Err(NameError::Character), "{bad:?}");
        }
    }
}
