//! Limits of one function.

use std::time::Duration;

/// What one function may take; docs/CONFIG.md names the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionLimits {
    /// The longest run of one call.
    pub timeout: Duration,
    /// The longest time that what runs it may take to load.
    pub load_timeout: Duration,
    /// Calls under way at once; one more is `busy`.
    pub max_concurrent: usize,
    /// The largest answer, in bytes of UTF-8 (text) or JSON.
    pub max_output: usize,
    /// Memory of what runs it, in bytes; none means the runner's own limit.
    pub memory: Option<u64>,
}

impl Default for FunctionLimits {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(30),
            load_timeout: Duration::from_secs(60),
            max_concurrent: 256,
            max_output: 1024 * 1024,
            memory: None,
        }
    }
}
