//! One line for each call, made with no more than it takes: it is the only line that every call pays for.

use std::fmt::{self, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Local};
use tracing::field::{Field, Visit};

use super::line::{Escaped, is_bare};

/// Lines waiting to be written beyond which further ones are lost, in bytes: what takes them has stopped.
const MOST: usize = 1 << 20;

/// Lines that wait to be written together.
pub(super) struct Waiting {
    pub(super) lines: String,
    /// Lines beyond [`MOST`].
    pub(super) lost: u64,
    json: bool,
    /// The second whose text `before` and `after` hold.
    second: Option<u64>,
    /// What stands before the milliseconds, and after them.
    before: String,
    after: String,
}

impl Waiting {
    pub(super) const fn new(json: bool) -> Self {
        Self {
            lines: String::new(),
            lost: 0,
            json,
            second: None,
            before: String::new(),
            after: String::new(),
        }
    }

    /// Adds the line of a call; true when it is the first that waits.
    pub(super) fn add(&mut self, event: &tracing::Event<'_>, now: SystemTime) -> bool {
        if self.lines.len() > MOST {
            self.lost += 1;
            return false;
        }
        let first = self.lines.is_empty();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        if self.second != Some(since.as_secs()) {
            self.show_second(now);
            self.second = Some(since.as_secs());
        }
        let Self { lines, before, after, json, .. } = self;
        // A string takes what it is given.
        let _infallible = write!(lines, "{before}{:03}{after}", since.subsec_millis());
        event.record(&mut Fields { lines, json: *json });
        lines.push_str(if *json { "}\n" } else { "\n" });
        first
    }

    /// What all lines of a second share.
    fn show_second(&mut self, now: SystemTime) {
        let at: DateTime<Local> = now.into();
        if self.json {
            self.before = at.format("{\"time\":\"%Y-%m-%dT%H:%M:%S.").to_string();
            let zone = at.format("%:z");
            self.after = format!("{zone}\",\"level\":\"INFO\",\"file\":\"access.rs\",\"message\":\"call\"");
        } else {
            self.before = at.format("[%Y-%m-%d %H:%M:%S,").to_string();
            "][MINI-SEC-POINT] INFO in access.rs: call".clone_into(&mut self.after);
        }
    }
}

struct Fields<'a> {
    lines: &'a mut String,
    json: bool,
}

impl Fields<'_> {
    fn name(&mut self, field: &Field) {
        let name = field.name();
        // A string takes what it is given.
        let _infallible =
            if self.json { write!(self.lines, ",\"{name}\":") } else { write!(self.lines, " {name}=") };
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.name(field);
        let _infallible = match (self.json, is_bare(value)) {
            (false, true) => write!(self.lines, "{}", Escaped(value)),
            (json, _) => {
                let quoted = serde_json::to_string(value).unwrap_or_default();
                if json { self.lines.write_str(&quoted) } else { write!(self.lines, "{}", Escaped(&quoted)) }
            }
        };
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.name(field);
        let _infallible = write!(self.lines, "{value:.3}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // The message stands in what all lines share.
        if field.name() != "message" {
            self.name(field);
            let quote = if self.json { "\"" } else { "" };
            let _infallible = write!(self.lines, "{quote}{value:?}{quote}");
        }
    }
}
