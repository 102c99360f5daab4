//! The only place that reads what a person types.

use std::io::{self, Read as _};

use msp_protocol::Secret;
use zeroize::Zeroizing;

use crate::error::AdminError;
use crate::output::{self, Output};

/// Asks a question that is answered by y or n; true for yes. No prints `Abort`.
///
/// # Errors
/// [`AdminError::Reported`] for any other answer, the end of standard input included.
pub(crate) fn confirm(output: Output, question: &str) -> Result<bool, AdminError> {
    output.question(&format!("{question} (y|n)"))?;
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(|cause| AdminError::io("read standard input", cause))?;
    match line.trim() {
        "y" | "Y" => Ok(true),
        "n" | "N" => {
            output::print("Abort")?;
            Ok(false)
        }
        _ => {
            output::print("Invalid input!")?;
            Err(AdminError::Reported)
        }
    }
}

/// Reads a client secret from standard input; white space around it is ignored.
pub(crate) fn secret() -> Result<Secret, AdminError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_SECRET_BYTES));
    io::stdin()
        .take(MAX_SECRET_BYTES as u64)
        .read_to_end(&mut bytes)
        .map_err(|cause| AdminError::io("read standard input", cause))?;
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    Secret::parse(text.trim()).map_err(AdminError::Secret)
}

/// More than a secret with white space around it, in bytes.
const MAX_SECRET_BYTES: usize = 4096;
