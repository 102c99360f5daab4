//! What goes to the terminal: results on standard output, everything else on standard error.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use comfy_table::{Attribute, Cell as TableCell, Color, ContentArrangement, Table, presets};
use indicatif::ProgressBar;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::error::AdminError;

/// How results are to look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    terminal: bool,
    colour: bool,
}

/// How a cell is meant; coloured on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Plain,
    Warning,
}

/// One cell of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: printable(&text.into()), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::toned(text, Tone::Plain)
    }
}

impl Output {
    /// Looks at the terminal; `NO_COLOR` (no-color.org) is heeded.
    pub(crate) fn new(json: bool) -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { json, terminal, colour }
    }

    /// True when a script asked for JSON.
    pub(crate) const fn json(self) -> bool {
        self.json
    }

    /// Prints one result: as JSON for a script, else as a text for a person.
    pub(crate) fn result(
        self,
        value: &impl Serialize,
        text: impl FnOnce() -> String,
    ) -> Result<(), AdminError> {
        if !self.json {
            return print(&text());
        }
        // A result may hold a secret.
        let json = serde_json::to_string(value)
            .map(Zeroizing::new)
            .map_err(|error| AdminError::io("write JSON", error.into()))?;
        print(&json)
    }

    /// Lays rows out: a table on a terminal, tab-separated lines when piped.
    pub(crate) fn table<const N: usize>(self, header: [&str; N], rows: Vec<[Cell; N]>) -> String {
        if !self.terminal {
            let lines = rows.iter().map(|row| row.each_ref().map(|cell| cell.text.as_str()).join("\t"));
            return std::iter::once(header.join("\t")).chain(lines).collect::<Vec<_>>().join("\n");
        }
        let mut table = Table::new();
        table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(header.map(|text| {
            let cell = TableCell::new(text);
            if self.colour { cell.add_attribute(Attribute::Bold) } else { cell }
        }));
        for row in rows {
            table.add_row(row.map(|cell| self.paint(cell)));
        }
        table.trim_fmt()
    }

    fn paint(self, cell: Cell) -> TableCell {
        let painted = TableCell::new(cell.text);
        match cell.tone {
            _ if !self.colour => painted,
            Tone::Plain => painted,
            Tone::Good => painted.fg(Color::Green),
            Tone::Bad => painted.fg(Color::Red),
            Tone::Warning => painted.fg(Color::Yellow),
        }
    }

    /// Asks on standard output, as the original does; beside JSON, on standard error.
    pub(crate) fn question(self, text: &str) -> Result<(), AdminError> {
        if self.json {
            write(&mut io::stderr().lock(), text, " ")
        } else {
            write(&mut io::stdout().lock(), text, " ")
        }
    }
}

/// Prints a text on standard output and ends its last line.
pub(crate) fn print(text: &str) -> Result<(), AdminError> {
    write(&mut io::stdout().lock(), text, if text.ends_with('\n') { "" } else { "\n" })
}

/// Prints a line on standard error that ends in a secret, of which no copy is made here.
pub(crate) fn tell_secret(before: &str, secret: &str) -> Result<(), AdminError> {
    let mut stderr = io::stderr().lock();
    write(&mut stderr, before, secret).and_then(|()| write(&mut stderr, "", "\n"))
}

/// Prints a line on standard error, whatever in it comes from outside; nobody listening is no reason to fail.
pub(crate) fn note(line: &str) {
    let _nobody_listens = write(&mut io::stderr().lock(), &printable(line), "\n");
}

/// A reader that has gone away has read enough: no error.
fn write(stream: &mut impl io::Write, text: &str, end: &str) -> Result<(), AdminError> {
    match write!(stream, "{text}{end}").and_then(|()| stream.flush()) {
        Err(cause) if cause.kind() != io::ErrorKind::BrokenPipe => {
            Err(AdminError::io("write the result", cause))
        }
        _ => Ok(()),
    }
}

/// Shows on a terminal that something takes its time, until dropped.
pub(crate) struct Spinner(ProgressBar);

impl Spinner {
    pub(crate) fn on(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// A text from outside that cannot steer the terminal: control characters are written out, and so are those that
/// turn the direction of what follows.
pub(crate) fn printable(text: &str) -> String {
    let steers = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if steers(c) { printable.extend(c.escape_default()) } else { printable.push(c) }
    }
    printable
}
