//! What clients and api keys have in common on the command line: grants and state.

use std::sync::Arc;

use clap::Args;
use msp_core::{Access, Grants, Pattern};
use msp_protocol::UnixSecond;
use serde::Serialize;

use crate::output::{Cell, Tone};

/// What a caller may call.
#[derive(Debug, Args)]
pub(crate) struct GrantOptions {
    /// Grant functions that read; `*` stands for any characters but `/`
    #[arg(long, value_name = "PATTERN")]
    allow: Vec<Pattern>,

    /// Grant functions that read and functions that write
    #[arg(long, value_name = "PATTERN")]
    allow_write: Vec<Pattern>,
}

impl GrantOptions {
    /// The grants; without any, what everyone has.
    pub(crate) fn grants(&self) -> Grants {
        let reads = self.allow.iter().map(|pattern| (pattern.clone(), Access::Read));
        let writes = self.allow_write.iter().map(|pattern| (pattern.clone(), Access::Write));
        let listed: Arc<[_]> = reads.chain(writes).collect();
        if listed.is_empty() { Grants::Standard } else { Grants::Listed(listed) }
    }
}

/// Grants as scripts get them: none for the functions that everyone may call who was added without a grant.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Granted(Option<Vec<Grant>>);

/// One grant.
#[derive(Debug, Serialize)]
struct Grant {
    functions: String,
    access: Access,
}

impl Granted {
    pub(crate) fn new(grants: &Grants) -> Self {
        let grant =
            |(pattern, access): &(Pattern, Access)| Grant { functions: pattern.to_string(), access: *access };
        Self(match grants {
            Grants::Standard => None,
            Grants::Listed(listed) => Some(listed.iter().map(grant).collect()),
        })
    }

    /// `sys* (read), report (write)`, or what a caller without a grant may call.
    pub(crate) fn text(&self) -> String {
        match &self.0 {
            None => "standard".to_owned(),
            Some(grants) => {
                let grant = |grant: &Grant| format!("{} ({})", grant.functions, grant.access.as_str());
                grants.iter().map(grant).collect::<Vec<_>>().join(", ")
            }
        }
    }
}

/// Whether a caller is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Active,
    Disabled,
    Expired,
}

impl State {
    /// Of a caller that nobody has disabled.
    pub(crate) fn at(now: UnixSecond, expires: Option<UnixSecond>) -> Self {
        if expires.is_some_and(|expires| expires <= now) { Self::Expired } else { Self::Active }
    }

    pub(crate) fn cell(self) -> Cell {
        match self {
            Self::Active => Cell::toned("active", Tone::Good),
            Self::Disabled => Cell::toned("disabled", Tone::Warning),
            Self::Expired => Cell::toned("expired", Tone::Bad),
        }
    }
}
