//! One event as one line.

use std::fmt::{self, Write as _};
use std::time::SystemTime;

use chrono::{DateTime, Local};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::Attributes;
use tracing::{Event, Level};

/// The field that makes an error CRITICAL: it stops the server.
const CRITICAL: &str = "critical";

/// What is written of an event.
pub(super) struct Line {
    at: DateTime<Local>,
    level: &'static str,
    file: String,
    message: String,
    fields: Vec<(&'static str, Value)>,
}

impl Line {
    pub(super) fn of(event: &Event<'_>, now: SystemTime) -> Self {
        let metadata = event.metadata();
        let file = metadata.file().and_then(|path| path.rsplit('/').next()).unwrap_or("?");
        let mut line = Self {
            at: now.into(),
            level: "",
            file: file.to_owned(),
            message: String::new(),
            fields: Vec::new(),
        };
        event.record(&mut line);
        let critical =
            line.fields.iter().any(|(name, value)| *name == CRITICAL && *value == Value::Bool(true));
        line.fields.retain(|(name, _)| *name != CRITICAL);
        line.level = if critical { "CRITICAL" } else { name(*metadata.level()) };
        line
    }

    /// Names the request that it was logged for, unless it does so itself.
    pub(super) fn belongs_to(&mut self, request: Option<&Request>) {
        if let Some(Request(Some(request))) = request
            && !self.fields.iter().any(|(name, _)| *name == REQUEST)
        {
            self.fields.push((REQUEST, request.as_str().into()));
        }
    }

    /// What the log says of itself.
    pub(super) fn of_the_log(message: String, now: SystemTime) -> Self {
        Self { at: now.into(), level: "ERROR", file: "file.rs".to_owned(), message, fields: Vec::new() }
    }

    /// As text, or as JSON.
    pub(super) fn shown(&self, json: bool) -> String {
        if json { self.to_json() } else { self.to_text() }
    }

    /// `[YYYY-MM-DD HH:MM:SS,mmm][MINI-SEC-POINT] LEVEL in <source file>: <message> key=value …`, in local time.
    fn to_text(&self) -> String {
        let Self { at, level, file, message, fields } = self;
        let at = at.format("%Y-%m-%d %H:%M:%S,%3f");
        let mut text = format!("[{at}][MINI-SEC-POINT] {level} in {file}: {}", Escaped(message));
        for (name, value) in fields {
            let shown = match value {
                Value::String(value) if is_bare(value) => value.clone(),
                other => other.to_string(),
            };
            // A string takes what it is given.
            let _infallible = write!(text, " {name}={}", Escaped(&shown));
        }
        text.push('\n');
        text
    }

    /// One JSON object with `time` (RFC 3339), `level`, `file`, `message` and the fields.
    fn to_json(&self) -> String {
        let mut object = Map::new();
        object
            .insert("time".to_owned(), self.at.to_rfc3339_opts(chrono::SecondsFormat::Millis, false).into());
        object.insert("level".to_owned(), self.level.into());
        object.insert("file".to_owned(), self.file.clone().into());
        object.insert("message".to_owned(), self.message.clone().into());
        object.extend(self.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        Value::Object(object).to_string() + "\n"
    }

    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }
}

/// The request that a span is of.
#[derive(Debug, Default)]
pub(super) struct Request(Option<String>);

/// The field that names a request.
const REQUEST: &str = "req";

impl Request {
    /// What the span says of itself.
    pub(super) fn of(attributes: &Attributes<'_>) -> Self {
        let mut request = Self::default();
        attributes.record(&mut request);
        request
    }
}

impl Visit for Request {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == REQUEST {
            self.0 = Some(format!("{value:?}"));
        }
    }
}

/// True for a value that needs no quotes in a line of text.
pub(super) fn is_bare(value: &str) -> bool {
    !value.is_empty() && !value.contains(' ')
}

const fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        Level::DEBUG | Level::TRACE => "DEBUG",
    }
}

impl Visit for Line {
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}

/// A text whose control characters and line separators are written out, so that no name writes a line of its own.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            // Separators, and marks that turn the direction of what follows.
            '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                c.escape_unicode().fmt(f)
            }
            c if c.is_control() => c.escape_default().fmt(f),
            c => f.write_char(c),
        })
    }
}
