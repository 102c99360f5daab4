//! Which functions a caller may use, and the proof of it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use msp_protocol::FunctionName;

use crate::caller::{Caller, Shape};
use crate::catalogue::{Access, Catalogue, Function, Origin};

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
    /// This one function, whatever it changes; none for a name that would be read as a pattern.
    #[must_use]
    pub fn only(name: &FunctionName) -> Option<Self> {
        let row = (Pattern(name.as_str().into()), Access::Write);
        (!name.as_str().contains('*')).then(|| Self::Listed(Arc::new([row])))
    }

    /// True when a pattern of these grants covers this name with this access; for what is no function of the catalogue.
    #[must_use]
    pub fn list(&self, name: &FunctionName, wanted: Access) -> bool {
        match self {
            Self::Standard => false,
            Self::Listed(rows) => {
                rows.iter().any(|(pattern, access)| *access >= wanted && pattern.matches(name))
            }
        }
    }

    /// True when these grants cover the function.
    #[must_use]
    pub fn cover(&self, function: &Function) -> bool {
        match self {
            Self::Standard => {
                function.origin == Origin::Modules
                    && function.access == Access::Read
                    && !function.name.as_str().contains('/')
            }
            Self::Listed(_) => self.list(&function.name, function.access),
        }
    }
}

/// Proof that a grant covers this call. Only [`permit`] makes one, and nothing runs without one.
#[derive(Debug)]
pub struct Permit {
    caller: Arc<Caller>,
    function: Arc<Function>,
}

impl Permit {
    /// The caller that was permitted.
    #[must_use]
    pub const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// The function it may call.
    #[must_use]
    pub const fn function(&self) -> &Arc<Function> {
        &self.function
    }
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denied {
    /// A function that writes, asked for in the classic shape.
    #[error("the function writes and is closed to the classic shape")]
    ClassicWrite,
    /// A built-in function, asked for in the classic shape.
    #[error("a built-in function is for the envelope shape only")]
    EnvelopeOnly,
    /// No grant of the caller covers it.
    #[error("no grant of this caller covers the function")]
    Forbidden,
    /// What may be this function has not loaded yet.
    #[error("what may be this function is still loading")]
    Loading,
    /// The catalogue holds no function of this name.
    #[error("no function of this name")]
    Unknown,
}

/// Decides whether the caller may call the function of this name.
///
/// # Errors
/// [`Denied`], with the reason.
pub fn permit(caller: &Arc<Caller>, catalogue: &Catalogue, name: &FunctionName) -> Result<Permit, Denied> {
    let absent = || if catalogue.may_come(name) { Denied::Loading } else { Denied::Unknown };
    let function = catalogue.find(name).ok_or_else(absent)?;
    if let Some(denied) = denies(caller, function) {
        return Err(denied);
    }
    Ok(Permit { caller: caller.clone(), function: function.clone() })
}

/// The functions this caller may call, in the order of their names; built-in ones apart.
pub(crate) fn callable<'a>(
    caller: &'a Caller,
    catalogue: &'a Catalogue,
) -> impl Iterator<Item = &'a Arc<Function>> {
    catalogue
        .iter()
        .filter(|function| function.origin != Origin::BuiltIn && denies(caller, function).is_none())
}

fn denies(caller: &Caller, function: &Function) -> Option<Denied> {
    let classic = caller.shape == Shape::Classic;
    match function.origin {
        Origin::BuiltIn if classic => Some(Denied::EnvelopeOnly),
        Origin::BuiltIn => None,
        _ if !caller.grants.cover(function) => Some(Denied::Forbidden),
        _ if classic && function.access == Access::Write && !function.classic_write => {
            Some(Denied::ClassicWrite)
        }
        _ => None,
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
