//! What the process of a function may reach.

use std::path::PathBuf;

/// What one function's process may reach beyond what all may; docs/MODULES.md says what that is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfinementSpec {
    /// False when it may not use the network.
    pub network: bool,
    /// Files and folders that it may use.
    pub paths: Vec<ConfinementPath>,
}

/// A file, or a folder with all in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConfinementPath {
    /// Where it is; absolute.
    pub path: PathBuf,
    /// True when it may be changed too.
    pub writable: bool,
}

impl Default for ConfinementSpec {
    fn default() -> Self {
        Self { network: true, paths: Vec::new() }
    }
}
