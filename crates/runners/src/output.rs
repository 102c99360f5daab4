//! What functions print, as lines of the log.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::interval;

/// The longest line, in bytes; the rest of a longer one is dropped.
const LINE: usize = 4096;
/// Lines a second that are logged of one stream; more are counted.
const LINES: u32 = 100;
/// Bytes a second that are read of one stream; beyond, who prints has to wait.
const BYTES: usize = 1024 * 1024;

/// Logs each line of the stream, escaped and bounded in length and rate, until it ends.
pub(crate) async fn log_lines(source: &str, stream: impl AsyncRead + Unpin) {
    each_line(stream, |line| tracing::info!(target: "function", "{source}: {line}")).await;
}

/// The same for a stream whose lines may begin with a level, as those of a plugin's log do.
pub(crate) async fn log_leveled_lines(source: &str, stream: impl AsyncRead + Unpin) {
    each_line(stream, |line| {
        let (level, text) = line.split_once(' ').unwrap_or(("", line));
        match level {
            "CRITICAL" | "ERROR" => tracing::error!(target: "function", "{source}: {text}"),
            "WARNING" => tracing::warn!(target: "function", "{source}: {text}"),
            "DEBUG" => tracing::debug!(target: "function", "{source}: {text}"),
            "INFO" => tracing::info!(target: "function", "{source}: {text}"),
            _ => tracing::info!(target: "function", "{source}: {line}"),
        }
    })
    .await;
}

async fn each_line(mut stream: impl AsyncRead + Unpin, log: impl FnMut(&str)) {
    let mut second = interval(Duration::from_secs(1));
    let mut lines = Lines { log, line: Vec::new(), logged: 0, dropped: 0, cut: false };
    let mut left = BYTES;
    let mut chunk = vec![0; 8192];
    loop {
        tokio::select! {
            biased;
            _ = second.tick() => {
                left = BYTES;
                lines.next_second();
            }
            read = stream.read(&mut chunk), if left > 0 => match read {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    left = left.saturating_sub(count);
                    lines.take(chunk.get(..count).unwrap_or_default());
                }
            },
        }
    }
    lines.end();
}

struct Lines<F> {
    log: F,
    line: Vec<u8>,
    logged: u32,
    dropped: u64,
    cut: bool,
}

impl<F: FnMut(&str)> Lines<F> {
    fn take(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, ended) = match piece.split_last() {
                Some((b'\n', text)) => (text, true),
                _ => (piece, false),
            };
            let room = LINE.saturating_sub(self.line.len());
            self.cut |= text.len() > room;
            self.line.extend_from_slice(text.get(..room).unwrap_or(text));
            if ended {
                self.end_line();
            }
        }
    }

    fn end_line(&mut self) {
        if self.logged < LINES {
            self.logged += 1;
            let mut line = escaped(self.line.strip_suffix(b"\r").unwrap_or(&self.line));
            if self.cut {
                line.push('…');
            }
            (self.log)(&line);
        } else {
            self.dropped += 1;
        }
        self.line.clear();
        self.cut = false;
    }

    fn next_second(&mut self) {
        self.logged = 0;
        if self.dropped > 0 {
            (self.log)(&format!("{} more lines within a second, not logged", self.dropped));
            self.dropped = 0;
        }
    }

    fn end(&mut self) {
        if !self.line.is_empty() {
            self.end_line();
        }
        self.next_second();
    }
}

/// The bytes as text in which nothing can start another line or steer a terminal.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() || matches!(character, '\u{2028}' | '\u{2029}') {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines_of(bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        each_line(bytes, |line| lines.push(line.to_owned())).await;
        lines
    }

    #[tokio::test]
    async fn control_characters_are_escaped_and_bytes_that_are_no_text_replaced() {
        let lines = lines_of(b"one\r\n\x1b[31mtwo\xff\n\nlast").await;
        assert_eq!(lines, ["one", "\\u{1b}[31mtwo\u{fffd}", "", "last"]);
    }

    #[tokio::test]
    async fn a_long_line_is_cut() {
        let lines = lines_of(format!("{}\nnext\n", "x".repeat(10_000)).as_bytes()).await;
        assert_eq!(lines, [format!("{}…", "x".repeat(LINE)), "next".to_owned()]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_counted_and_not_logged() {
        let lines = lines_of("x\n".repeat(1000).as_bytes()).await;
        assert_eq!(lines.len(), 101);
        assert_eq!(lines.last().unwrap(), "900 more lines within a second, not logged");
    }

    #[tokio::test(start_paused = true)]
    async fn who_floods_has_to_wait_for_the_next_second() {
        let bytes = vec![b'x'; 3 * BYTES + 1];
        let two_seconds = tokio::time::sleep(Duration::from_secs(2));
        tokio::select! {
            biased;
            _ = lines_of(&bytes) => panic!("read faster than the limit"),
            () = two_seconds => {}
        }
    }
}
