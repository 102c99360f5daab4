//! `msp-client URL`: what the original's demo client does.

use chrono::{DateTime, Local};
use msp_client::{Client, ClientError, Clock as _, SystemClock};
use serde_json::Value;

use crate::error::CliError;
use crate::{commands, output};

/// Calls `time_test` and prints its answer as one log entry on standard error.
pub(crate) async fn run(client: &Client, classic: bool) -> Result<(), CliError> {
    match commands::answer(client, &commands::function("time_test")?, None, classic).await {
        Ok(Value::String(text)) => log("INFO", &text),
        Ok(other) => log("INFO", &other.to_string()),
        Err(error) => {
            let level = if matches!(error, ClientError::Refused { .. }) { "WARNING" } else { "ERROR" };
            log(level, &error.to_string());
            return Err(CliError::Logged);
        }
    }
    Ok(())
}

fn log(level: &str, text: &str) {
    let now = DateTime::<Local>::from(SystemClock.now());
    output::note(&format!("[{}] {level}: {text}", now.format("%Y-%m-%d %H:%M:%S,%3f")));
}
