//! How many requests have begun in what a connection receives.
//!
//! The HTTP library makes requests of everything that it has received; so they are counted before it has it. What is
//! no HTTP is counted somehow: the library refuses it.

/// The bytes of a line that matter here.
const LINE: usize = 64;

/// Counts the heads of requests.
#[derive(Debug)]
pub(super) struct Heads {
    /// Since it was last set to zero.
    pub(super) count: u32,
    at: At,
    /// The beginning of the line that is being received.
    begun: Vec<u8>,
    /// Whether that line is longer than what was kept of it.
    cut: bool,
    body: Body,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
enum At {
    /// A line of a head.
    Line,
    /// The line that says how long a chunk is.
    ChunkLine,
    /// A line behind the last chunk.
    Trailer,
    /// So many bytes that say nothing, then this.
    Skip(u64, Next),
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Line,
    ChunkLine,
}

/// How long the body is that the head announces.
#[derive(Debug, Clone, Copy)]
enum Body {
    Length(u64),
    Chunked,
}

impl Heads {
    pub(super) const fn new() -> Self {
        Self { count: 0, at: At::Line, begun: Vec::new(), cut: false, body: Body::Length(0) }
    }

    /// Takes what was received.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.at {
                At::Skip(left, next) => self.skip(left, next, bytes),
                At::Line | At::ChunkLine | At::Trailer => self.line(bytes),
            };
        }
    }

    fn skip<'a>(&mut self, left: u64, next: Next, bytes: &'a [u8]) -> &'a [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - here as u64;
        self.at = match (left, next) {
            (0, Next::Line) => At::Line,
            (0, Next::ChunkLine) => At::ChunkLine,
            _ => At::Skip(left, next),
        };
        bytes.get(here..).unwrap_or_default()
    }

    fn line<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let end = memchr::memchr(b'\n', bytes);
        let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        let room = LINE - self.begun.len();
        self.cut |= part.len() > room;
        self.begun.extend_from_slice(part.get(..room).unwrap_or(part));
        if end.is_none() {
            return rest;
        }
        let line = std::mem::take(&mut self.begun);
        let (text, cut) = (line.strip_suffix(b"\r").unwrap_or(&line), std::mem::take(&mut self.cut));
        let is_empty = !cut && text.is_empty();
        self.at = match self.at {
            At::ChunkLine => chunk(text).filter(|_| !cut).unwrap_or_else(|| self.give_up()),
            // The library ends a trailer's line at CR only.
            At::Trailer if !cut && text.len() == line.len() => self.give_up(),
            At::Trailer if is_empty => At::Line,
            At::Trailer => At::Trailer,
            _ if is_empty => self.end_of_head(),
            _ => {
                self.note(text, cut);
                At::Line
            }
        };
        self.begun = line;
        self.begun.clear();
        rest.get(1..).unwrap_or_default()
    }

    /// What cannot be followed might hide any number.
    fn give_up(&mut self) -> At {
        self.count = u32::MAX;
        At::Line
    }

    fn end_of_head(&mut self) -> At {
        self.count = self.count.saturating_add(1);
        match std::mem::replace(&mut self.body, Body::Length(0)) {
            Body::Length(0) => At::Line,
            Body::Length(length) => At::Skip(length, Next::Line),
            Body::Chunked => At::ChunkLine,
        }
    }

    /// Looks whether a header says how long the body is.
    fn note(&mut self, line: &[u8], cut: bool) {
        let Some(colon) = memchr::memchr(b':', line) else { return };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        let body = if name.eq_ignore_ascii_case(b"transfer-encoding") {
            Some(Body::Chunked)
        } else if name.eq_ignore_ascii_case(b"content-length") {
            std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()).map(Body::Length)
        } else {
            return;
        };
        match body {
            Some(body) if !cut => self.body = body,
            _ => drop(self.give_up()),
        }
    }
}

/// What follows the line before a chunk: its bytes and the end of their line, or the trailer; none for no such line.
fn chunk(line: &[u8]) -> Option<At> {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    match u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()? {
        0 => Some(At::Trailer),
        size => Some(At::Skip(size.saturating_add(2), Next::ChunkLine)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the bytes are cut, the count is the same.
    fn one(text: &str) -> u32 {
        let bytes = text.as_bytes();
        let mut whole = Heads::new();
        whole.take(bytes);
        for size in [1, 2, 3, 7] {
            let mut heads = Heads::new();
            bytes.chunks(size).for_each(|chunk| heads.take(chunk));
            assert_eq!(heads.count, whole.count, "in pieces of {size}");
        }
        whole.count
    }

    #[test]
    fn heads_are_counted_and_what_bodies_hold_is_not() {
        assert_eq!(one("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), 1);
        assert_eq!(one(&"GET / HTTP/1.1\n\n".repeat(9)), 9);
        assert_eq!(
            one(
                "POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n\r\n"
            ),
            2
        );
        let chunks = "3\r\n\r\n\n\r\n4;x=y\r\n\r\n\r\n\r\n0\r\nTrailer: x\r\n\r\n";
        assert_eq!(
            one(&format!(
                "POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunks}GET / HTTP/1.1\r\n\r\n"
            )),
            2
        );
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(1000));
        assert_eq!(one(&long.repeat(2)), 2);
    }

    #[test]
    fn what_the_library_might_read_otherwise_ends_the_connection() {
        let chunked =
            |rest: &str| format!("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{rest}\r\n\r\n");
        for text in [
            "POST / HTTP/1.1\r\nContent-Length: nonsense\r\n\r\n".to_owned(),
            format!("POST / HTTP/1.1\r\nContent-Length:{}30\r\n\r\n", " ".repeat(60)),
            format!("POST / HTTP/1.1\r\nTransfer-Encoding:{}chunked\r\n\r\n", " ".repeat(60)),
            chunked("zz"),
            chunked(&format!("{}5", "0".repeat(64))),
            chunked("0\r\nX: a\n\nContent-Length: 9999999999\n"),
        ] {
            assert_eq!(one(&text), u32::MAX, "{text}");
        }
    }
}
