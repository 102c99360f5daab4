//! Reading a JSON object, as both shapes and the enrolment line carry one.

use serde::de::Deserialize;

use crate::error::DecodeError;

/// Reads a JSON object; serde alone would take a list of its values for one too, and any bytes in what it ignores.
pub(crate) fn object<'de, T: Deserialize<'de>>(json: &'de [u8]) -> Result<T, DecodeError> {
    let json = std::str::from_utf8(json).map_err(|_| DecodeError::Json)?;
    if !json.trim_ascii_start().starts_with('{') {
        return Err(DecodeError::Json);
    }
    serde_json::from_str(json).map_err(|_| DecodeError::Json)
}
