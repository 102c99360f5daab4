//! What Python processes say of themselves and answer, as far as modules and plugins do it alike.

use msp_core::RunError;
use msp_protocol::envelope::{MAX_VALUE_DEPTH, levels, whole_numbers_fit};
use serde_json::Value;

/// The longest message about a failure, in bytes; the processes cut them shorter.
pub(super) const MESSAGE: usize = 16 * 1024;
/// The longest description, in characters.
const DESCRIPTION: usize = 1000;

/// What a process says about a failure, cut and escaped.
pub(super) fn message(body: &[u8]) -> String {
    crate::output::escaped(body.get(..MESSAGE).unwrap_or(body))
}

/// What a function says of itself, cut.
pub(super) fn description(text: &str) -> String {
    text.chars().take(DESCRIPTION).collect()
}

/// Reads an answer that is JSON; `unreadable` says what it is when it cannot be read.
///
/// # Errors
/// [`RunError::Failed`] for what no caller could read, or would read as something else.
pub(super) fn json(body: &[u8], unreadable: &str) -> Result<Value, RunError> {
    let why = match serde_json::from_slice(body) {
        Ok(_) if !whole_numbers_fit(body) => {
            "a whole number in its answer is beyond 64 bits, which callers would read as another; answer it as text"
                .to_owned()
        }
        Ok(value) if levels(&value) > MAX_VALUE_DEPTH => {
            format!("its answer is nested deeper than {MAX_VALUE_DEPTH} levels")
        }
        Ok(value) => return Ok(value),
        Err(error) => format!("{unreadable}: {error}"),
    };
    Err(RunError::Failed(why))
}
