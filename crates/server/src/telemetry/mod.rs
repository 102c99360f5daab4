//! The log and the metrics.
//!
//! Every line goes to standard error and to `latest.log`; neither a full disk nor a folder that goes away stops the
//! server or slows a request. What must never be logged is listed in docs/OPERATIONS.md.

mod file;
mod line;

use std::io::Write as _;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use msp_core::clock::Clock;
use msp_settings::{LogLevel, LogSettings};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use file::LogFile;
use line::Line;

/// Sends all that is logged from now on where the settings say; once in a process.
///
/// # Errors
/// When something else has taken the log already.
pub fn init(settings: &LogSettings, clock: Arc<dyn Clock>) -> Result<(), TryInitError> {
    tracing_subscriber::registry().with(Log::new(settings, clock)).try_init()
}

/// The process's recorder of metrics, installed at the first call.
pub fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            // Somebody else's recorder stays; ours then renders nothing.
            let _other_stays = metrics::set_global_recorder(recorder);
            handle
        })
        .clone()
}

/// Writes events as lines.
struct Log {
    clock: Arc<dyn Clock>,
    level: Level,
    json: bool,
    file: Mutex<LogFile>,
}

impl Log {
    fn new(settings: &LogSettings, clock: Arc<dyn Clock>) -> Self {
        let file = Mutex::new(LogFile::new(&settings.directory, settings.max_files, clock.clone()));
        Self { clock, level: level(settings.level), json: settings.json, file }
    }
}

const fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warning => Level::WARN,
        LogLevel::Error | LogLevel::Critical => Level::ERROR,
    }
}

impl<S: Subscriber> Layer<S> for Log {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        // What it warns of is one line for each broken connection, so that a stranger could fill the log.
        if metadata.target().starts_with("actix_http") {
            return false;
        }
        // Libraries are heard when they warn: what they say below that may hold what we never log.
        let ours = metadata.target().starts_with("msp_") || metadata.target() == "function";
        *metadata.level() <= if ours { self.level } else { self.level.min(Level::WARN) }
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let line = Line::of(event, self.clock.now());
        let text = if self.json { line.to_json() } else { line.to_text() };
        // A closed terminal or pipe takes nothing away from the file.
        let _closed = std::io::stderr().lock().write_all(text.as_bytes());
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write(text.as_bytes());
    }
}

#[cfg(test)]
mod tests;
