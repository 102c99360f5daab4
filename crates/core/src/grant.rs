//! Which functions a caller may use.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use msp_protocol::FunctionName;

use crate::access::{Access, Origin};

/// A pattern for function names, in which `*` stands for any run of characters without `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(Box<str>);

impl Pattern {
    /// True when the whole name fits.
    #[must_use]
    pub fn matches(&self, name: &FunctionName) -> bool {
        fits(self.0.as_bytes(), name.as_str().as_bytes())
    }

    /// The pattern as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Greedy matching with one point to go back to: linear in pattern × name, without recursion.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    while n < name.len() || p < pattern.len() {
        match (pattern.get(p), name.get(n)) {
            (Some(b'*'), _) => {
                back = Some((p, n));
                p += 1;
            }
            (Some(a), Some(b)) if a == b => {
                p += 1;
                n += 1;
            }
            _ => match back {
                Some((star, from)) if name.get(from).is_some_and(|byte| *byte != b'/') => {
                    back = Some((star, from + 1));
                    p = star + 1;
                    n = from + 1;
                }
                _ => return false,
            },
        }
    }
    true
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text.parse::<FunctionName>().is_err() {
            return Err(PatternError);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that is no pattern: empty, longer than 128 bytes, or with control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a function pattern (1 to 128 bytes, no control characters)")]
pub struct PatternError;

/// What a caller may call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grants {
    /// The functions of modules.ini that only read; what everyone has who was added without `--allow`.
    Standard,
    /// The functions whose names fit a pattern, with the access granted for it.
    Listed(Arc<[(Pattern, Access)]>),
}

impl Grants {
    /// No function at all; for who may call only by what it is.
    #[must_use]
    pub fn nothing() -> Self {
        Self::Listed(Arc::default())
    }

    /// Every function there is, to read and to write.
    #[must_use]
    pub fn everything() -> Self {
        let all = ["*", "*/*"].map(|pattern| (Pattern(pattern.into()), Access::Write));
        Self::Listed(all.into())
    }

    /// True when a pattern of these grants covers this name with this access; for what is no function of the catalogue.
    pub(crate) fn list(&self, name: &FunctionName, wanted: Access) -> bool {
        match self {
            Self::Standard => false,
            Self::Listed(rows) => {
                rows.iter().any(|(pattern, access)| *access >= wanted && pattern.matches(name))
            }
        }
    }

    /// True when these grants cover a function of this name that comes from there and changes so much.
    pub(crate) fn cover(&self, name: &FunctionName, origin: Origin, access: Access) -> bool {
        match self {
            Self::Standard => {
                origin == Origin::Modules && access == Access::Read && !name.as_str().contains('/')
            }
            Self::Listed(_) => self.list(name, access),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(pattern: &str, name: &str) -> bool {
        pattern.parse::<Pattern>().unwrap().matches(&name.parse().unwrap())
    }

    #[test]
    fn a_star_matches_any_run_without_a_slash() {
        assert!(fits("sys*", "sys"));
        assert!(fits("sys*", "systeminfo"));
        assert!(fits("*info", "systeminfo"));
        assert!(fits("a*b*c", "a-b-b-c"));
        assert!(fits("rpc/*", "rpc/query"));
        assert!(!fits("*", "rpc/query"));
        assert!(!fits("rpc*", "rpc/query"));
        assert!(!fits("sys*", "asys"));
        assert!(!fits("sys", "sysx"));
        assert!(!fits("a*b", "a-c"));
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let pattern = "*a".repeat(60);
        assert!(!fits(&pattern, &"a".repeat(59)));
        assert!(!fits(&format!("{}b", "*a".repeat(60)), &"a".repeat(128)));
    }
}
