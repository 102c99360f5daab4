//! Results go to standard output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::time::Duration;

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::ProgressBar;
use msp_client::FunctionInfo;
use serde::Serialize;
use serde_json::{Value, json};

use crate::error::CliError;

/// Prints a text and ends its last line.
///
/// A reader that has gone away has read enough: no error.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut stdout = io::stdout().lock();
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(CliError::Io { action: "write to standard output", cause })
        }
        _ => Ok(()),
    }
}

/// Prints an answer: a text as it is, anything else as JSON; with `json` a text too.
pub(crate) fn print_answer(answer: &Value, json: bool) -> Result<(), CliError> {
    match answer {
        Value::String(text) if !json => print(text),
        other if !json && io::stdout().is_terminal() => print(&format!("{other:#}")),
        other => print(&other.to_string()),
    }
}

/// Prints one line of JSON.
pub(crate) fn print_json(value: &impl Serialize) -> Result<(), CliError> {
    let text = serde_json::to_string(value)
        .map_err(|error| CliError::Io { action: "write JSON", cause: error.into() })?;
    print(&text)
}

/// Prints the functions as a table for a person.
pub(crate) fn print_functions(functions: &[FunctionInfo]) -> Result<(), CliError> {
    let rows = functions.iter().map(|function| {
        let description = function.description.clone().unwrap_or_default();
        [function.name.to_string(), function.access.clone(), description]
    });
    print_table(["FUNCTION", "ACCESS", "DESCRIPTION"], rows)
}

/// Prints rows as a table for a person.
pub(crate) fn print_table<const N: usize>(
    header: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) -> Result<(), CliError> {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| printable(&cell)));
    }
    print(&table.trim_fmt())
}

/// Shows on a terminal that something is under way, until it has ended.
pub(crate) async fn while_waiting<T>(something: impl Future<Output = T>) -> T {
    let spinner = ProgressBar::new_spinner().with_message("waiting for the server");
    spinner.enable_steady_tick(SPINNER_TICK);
    let result = something.await;
    spinner.finish_and_clear();
    result
}

/// Prints a text on standard error, whatever in it comes from a server; where that is closed there is nobody to tell.
pub(crate) fn note(text: &str) {
    let shown = |c: char| if c.is_control() && !matches!(c, '\n' | '\t') { ' ' } else { c };
    let _ = writeln!(io::stderr().lock(), "{}", text.chars().map(shown).collect::<String>());
}

/// Prints on standard error why a command ended, for a script as JSON; messages that scripts know from the original
/// gen_key stand alone on their line.
pub(crate) fn print_error(error: &CliError, json: bool) {
    match error {
        error if json => {
            let error = json!({"error": {"code": error.code(), "message": error.to_string()}});
            note(&error.to_string());
        }
        CliError::Logged => {}
        CliError::KeyNotFound(_) | CliError::WrongKeyType(_) => note(&error.to_string()),
        error => note(&format!("error: {error}")),
    }
}

/// Says that others may read a file with a secret.
pub(crate) fn warn_of_readers(path: &Path) {
    note(&format!("warning: others may read {0}; run: chmod 600 {0}", path.display()));
}

/// A text from the server that cannot steer the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

const SPINNER_TICK: Duration = Duration::from_millis(100);
