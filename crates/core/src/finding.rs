//! What `msp-server --check-config` found, as msp-server writes it and msp-admin reads it.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// Something that keeps the server from starting, or from serving what it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Where it is: file and line, section and key, or a function.
    pub place: String,
    /// What is wrong there.
    pub problem: String,
    /// What would be right; empty where the problem says so itself.
    pub hint: String,
}

impl Finding {
    /// One of three parts.
    #[must_use]
    pub fn new(place: impl Into<String>, problem: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { place: place.into(), problem: problem.into(), hint: hint.into() }
    }

    /// Takes an error's line apart, which like all of ours reads `place: what is wrong; what would be right`.
    #[must_use]
    pub fn told(error: impl fmt::Display) -> Self {
        let line = error.to_string();
        let (place, rest) = line.split_once(": ").unwrap_or(("msp-server", &line));
        Self::at(place, rest)
    }

    /// The same, where the line does not say the place.
    #[must_use]
    pub fn at(place: impl Into<String>, error: impl fmt::Display) -> Self {
        let line = error.to_string();
        let (problem, hint) = line.rsplit_once("; ").unwrap_or((&line, ""));
        Self::new(place, problem, hint)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, problem, hint } = self;
        let line = if hint.is_empty() {
            format!("{place}: {problem}")
        } else {
            format!("{place}: {problem}; {hint}")
        };
        // A module's error is the module's text.
        line.chars().try_for_each(|c| match c.is_control() {
            true => write!(f, "{}", c.escape_default()),
            false => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_and_put_together_again() {
        for (line, place, problem, hint) in [
            ("[Log] Folder: /x: is a file; name a folder", "[Log] Folder", "/x: is a file", "name a folder"),
            ("[paths] plugins: gone", "[paths] plugins", "gone", ""),
        ] {
            let finding = Finding::told(line);
            assert_eq!(finding, Finding::new(place, problem, hint));
            assert_eq!(finding.to_string(), line);
        }
        assert_eq!(Finding::at("x", "two\nlines").to_string(), "x: two\\nlines");
    }
}
