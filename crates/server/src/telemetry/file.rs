//! `latest.log` and its predecessors.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use msp_core::clock::Clock;

/// The size beyond which a new file begins.
pub(super) const ROTATE_AT: u64 = 10_485_760;
/// How long lines go to standard error alone after the file could not be written.
const PAUSE: Duration = Duration::from_secs(1);

/// A rotating file that may fail: lines are then lost to it, counted, and written again as soon as it works. Whoever
/// else moves or replaces it (logrotate) need not say so: what its name leads to is asked for with each write.
pub(super) struct LogFile {
    path: PathBuf,
    /// Rotated files to keep; 0 never rotates.
    keep: usize,
    clock: Arc<dyn Clock>,
    open: Option<Open>,
    /// Until when (monotonic) nothing is tried.
    paused: Option<Duration>,
    lost: u64,
}

/// The file that is written, and what tells it from another of its name.
struct Open {
    file: File,
    identity: (u64, u64),
}

impl LogFile {
    pub(super) fn new(directory: &Path, keep: usize, clock: Arc<dyn Clock>) -> Self {
        Self { path: directory.join("latest.log"), keep, clock, open: None, paused: None, lost: 0 }
    }

    /// Writes whole lines, or counts them as lost.
    ///
    /// # Errors
    /// Why lines begin to be lost, once: until one is written again it is only tried, once a second.
    pub(super) fn write(&mut self, lines: &[u8]) -> Result<(), String> {
        let tried = match self.paused {
            Some(until) if self.clock.monotonic() < until => None,
            _ => Some(self.try_write(lines)),
        };
        let first = self.paused.is_none();
        match tried {
            Some(Ok(())) => {
                self.lost = 0;
                self.paused = None;
                return Ok(());
            }
            Some(Err(error)) => {
                self.open = None;
                self.paused = Some(self.clock.monotonic() + PAUSE);
                self.lose(count(lines));
                if first {
                    return Err(format!("the log {} cannot be written: {error}", self.path.display()));
                }
            }
            None => self.lose(count(lines)),
        }
        Ok(())
    }

    /// Counts lines that could not be written.
    pub(super) const fn lose(&mut self, lines: u64) {
        self.lost += lines;
    }

    fn try_write(&mut self, lines: &[u8]) -> io::Result<()> {
        let lost = self.lost;
        let file = self.file()?;
        if lost > 0 {
            file.write_all(format!("({lost} earlier lines were lost to this file)\n").as_bytes())?;
        }
        file.write_all(lines)
    }

    /// The file that the name leads to now, begun anew where it is full.
    fn file(&mut self) -> io::Result<&mut File> {
        let mut named = found(&self.path)?;
        if self.keep > 0 && named.as_ref().is_some_and(|named| named.is_file() && named.len() > ROTATE_AT) {
            self.rotate()?;
            named = None;
        }
        let identity = named.as_ref().map(identity);
        let open = match self.open.take().filter(|open| Some(open.identity) == identity) {
            Some(open) => open,
            None => open(&self.path)?,
        };
        Ok(&mut self.open.insert(open).file)
    }

    fn rotate(&self) -> io::Result<()> {
        let numbered = |number: usize| self.path.with_extension(format!("log.{number}"));
        for number in (1..self.keep).rev() {
            match std::fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        std::fs::rename(&self.path, numbered(1))
    }
}

fn found(path: &Path) -> io::Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn count(lines: &[u8]) -> u64 {
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a log is appended to; it is 0600 from its first byte like a key"
)]
fn open(path: &Path) -> io::Result<Open> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)?;
    let mut options = OpenOptions::new();
    // A pipe that nobody reads is an error and no wait.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = options.create(true).append(true).mode(0o600).custom_flags(flags).open(path)?;
    let identity = identity(&file.metadata()?);
    Ok(Open { file, identity })
}
