//! `latest.log` and its predecessors.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use msp_core::clock::Clock;

/// The size at which a new file begins.
pub(super) const ROTATE_AT: usize = 10_485_760;
/// How long lines go to standard error alone after the file could not be written.
const PAUSE: Duration = Duration::from_secs(1);

/// A rotating file that may fail: lines are then lost to it, counted, and written again as soon as it works.
pub(super) struct LogFile {
    path: PathBuf,
    /// Rotated files to keep; 0 never rotates.
    keep: usize,
    clock: Arc<dyn Clock>,
    open: Option<FileRotate<AppendCount>>,
    /// Until when (monotonic) nothing is tried.
    paused: Option<Duration>,
    lost: u64,
}

impl LogFile {
    pub(super) fn new(directory: &Path, keep: usize, clock: Arc<dyn Clock>) -> Self {
        Self { path: directory.join("latest.log"), keep, clock, open: None, paused: None, lost: 0 }
    }

    /// Writes a line, or counts it as lost.
    pub(super) fn write(&mut self, line: &[u8]) {
        if self.paused.is_some_and(|until| self.clock.monotonic() < until) || !self.try_write(line) {
            self.lost += 1;
        }
    }

    fn try_write(&mut self, line: &[u8]) -> bool {
        // The library asserts where a folder or a file goes away under it; that must not end a request.
        let written = catch_unwind(AssertUnwindSafe(|| self.write_or_fail(line))).unwrap_or(false);
        if !written {
            self.open = None;
            self.paused = Some(self.clock.monotonic() + PAUSE);
        }
        written
    }

    fn write_or_fail(&mut self, line: &[u8]) -> bool {
        if !self.path.exists() {
            self.open = None;
            let folder = self.path.parent().unwrap_or(Path::new("."));
            if std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).is_err() {
                return false;
            }
        }
        let (path, keep) = (&self.path, self.keep);
        let open = self.open.get_or_insert_with(|| rotating(path, keep));
        let lost = match self.lost {
            0 => String::new(),
            lost => format!("({lost} earlier lines were lost to this file)\n"),
        };
        // The library writes nothing, and says so with an error, while it has no file.
        let written =
            path.exists() && open.write_all(lost.as_bytes()).and_then(|()| open.write_all(line)).is_ok();
        if written {
            self.lost = 0;
            self.paused = None;
        }
        written
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log is appended to; it is 0600 from its first byte like a key"
)]
fn rotating(path: &Path, keep: usize) -> FileRotate<AppendCount> {
    let mut options = OpenOptions::new();
    options.read(true).create(true).append(true).mode(0o600);
    let limit = if keep == 0 { ContentLimit::None } else { ContentLimit::BytesSurpassed(ROTATE_AT) };
    FileRotate::new(path, AppendCount::new(keep), limit, Compression::None, Some(options))
}
