//! What authority depends on: what a call may change, where its function comes from, and by which route it may be called.

use msp_protocol::Digest;
use serde::Serialize;

/// What a call may change; a grant to write covers reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Changes nothing that matters.
    Read,
    /// Changes something.
    Write,
}

impl Access {
    /// `read` or `write`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Where a function comes from, which decides who may call it without a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Always there, for every proven caller of the envelope shape: `msp/ping`, `msp/functions`.
    BuiltIn,
    /// What is no function but manages them; never in the catalogue.
    Control,
    /// Listed in modules.ini.
    Modules,
    /// Found in the folder of plugins.
    Plugins,
}

/// Who may call a function by its REST route, beside whoever has a named api key whose grants cover it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Who has the door's own key.
    Key,
    /// Nobody else.
    Named,
    /// Everybody.
    Open,
    /// Who has the key with this digest.
    Own(Digest),
}
