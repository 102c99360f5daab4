//! The log and the metrics.
//!
//! Every line goes to standard error and to `latest.log`; neither a full disk nor a folder that goes away stops the
//! server or slows a request. What must never be logged is listed in docs/OPERATIONS.md.

mod file;
mod line;
mod quick;

use std::io::Write as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use msp_core::ACCESS_LOG;
use msp_core::clock::Clock;
use msp_settings::{LogLevel, LogSettings};
use tracing::span::{Attributes, Id};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use file::LogFile;
use line::{Line, Request};
use quick::Waiting;

/// The libraries that are heard when they warn: of the registry, and of a listener that has no descriptors left. What the
/// others say, a stranger could have them say for each of its bytes (http, TLS), or it may hold what we never log.
const HEARD: [&str; 2] = ["sqlx", "actix_server"];
/// How long the lines of calls are gathered, to be written together.
const GATHERED: Duration = Duration::from_millis(100);

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
    level: Level,
    /// Whether calls have lines.
    access: bool,
    sinks: Arc<Sinks>,
    /// Tells the thread that writes them that lines of calls wait.
    wake: SyncSender<()>,
}

/// Where lines go. A call adds its line to those that wait, and waits for no disk.
struct Sinks {
    clock: Arc<dyn Clock>,
    json: bool,
    waiting: Mutex<Waiting>,
    written: Mutex<Written>,
}

struct Written {
    file: LogFile,
    /// The room of lines written before, which the next ones take.
    room: String,
}

impl Log {
    fn new(settings: &LogSettings, clock: Arc<dyn Clock>) -> Self {
        let file = LogFile::new(&settings.directory, settings.max_files, clock.clone());
        let sinks = Arc::new(Sinks {
            clock,
            json: settings.json,
            waiting: Mutex::new(Waiting::new(settings.json)),
            written: Mutex::new(Written { file, room: String::new() }),
        });
        let (wake, woken) = sync_channel(1);
        let theirs = sinks.clone();
        let writer = std::thread::Builder::new().name("log".to_owned());
        let writes = writer.spawn(move || write_what_waits(&theirs, &woken)).is_ok();
        let access = settings.access && writes;
        Self { level: level(settings.level), access, sinks, wake }
    }
}

/// Writes the lines of calls, until the log ends.
fn write_what_waits(sinks: &Sinks, woken: &Receiver<()>) {
    while woken.recv().is_ok() {
        let _woken_again_or_ended = woken.recv_timeout(GATHERED);
        sinks.write("");
    }
}

impl Sinks {
    /// Writes what waits, then a line.
    fn write(&self, line: &str) {
        let mut written = lock(&self.written);
        let mut lines = std::mem::take(&mut written.room);
        let lost = {
            let mut waiting = lock(&self.waiting);
            std::mem::swap(&mut waiting.lines, &mut lines);
            std::mem::take(&mut waiting.lost)
        };
        lines.push_str(line);
        written.file.lose(lost);
        if !lines.is_empty() {
            // A closed terminal or pipe takes nothing away from the file.
            let _closed = std::io::stderr().lock().write_all(lines.as_bytes());
            if let Err(why) = written.file.write(lines.as_bytes()) {
                let why = format!("{why}; lines go to standard error alone until it can be ([Log] Folder)");
                let line = Line::of_the_log(why, self.clock.now()).shown(self.json);
                let _closed = std::io::stderr().lock().write_all(line.as_bytes());
            }
        }
        lines.clear();
        written.room = lines;
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

const fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Info => Level::INFO,
        LogLevel::Warning => Level::WARN,
        LogLevel::Error | LogLevel::Critical => Level::ERROR,
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        let target = metadata.target();
        if target == ACCESS_LOG {
            return self.access && *metadata.level() <= self.level;
        }
        if target.starts_with("msp_") || target == "function" {
            return *metadata.level() <= self.level;
        }
        HEARD.iter().any(|library| target.starts_with(library))
            && *metadata.level() <= self.level.min(Level::WARN)
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Request::of(attributes));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let now = self.sinks.clock.now();
        if event.metadata().target() == ACCESS_LOG {
            if lock(&self.sinks.waiting).add(event, now) {
                let _woken_already = self.wake.try_send(());
            }
            return;
        }
        let mut line = Line::of(event, now);
        if let Some(scope) = context.event_scope(event) {
            scope.for_each(|span| line.belongs_to(span.extensions().get::<Request>()));
        }
        self.sinks.write(&line.shown(self.sinks.json));
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.sinks.write("");
    }
}

#[cfg(test)]
mod tests;
