//! The plugins that are to exist, as the operator's configuration says.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde_json::Value;

/// Where plugins are, and what they are given.
#[derive(Clone, PartialEq, Eq)]
pub struct PluginsSpec {
    /// The folder whose `*.py` files are plugins.
    pub folder: PathBuf,
    /// The parameters of each file, by its name in lower case without `.py`. No name stands twice.
    pub parameters: BTreeMap<String, Vec<(String, String)>>,
    /// What a plugin finds in `self.config`: an object of sections, each an object of keys. No key of the door is in it.
    pub config: Value,
    /// The file that the configuration was read from, for the program options a plugin sees; empty without one.
    pub ini_file: String,
    /// Whether the door has a key of its own, which `auth_type=global` asks for.
    pub has_key: bool,
    /// Ids that no plugin may have, because their paths are taken.
    pub reserved: Vec<String>,
}

impl fmt::Debug for PluginsSpec {
    /// Without parameters and configuration, which hold keys and passwords of plugins.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginsSpec").field("folder", &self.folder).finish_non_exhaustive()
    }
}
