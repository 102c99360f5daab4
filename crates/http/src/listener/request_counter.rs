//! How many requests have begun in what a connection receives.
//!
//! The HTTP library makes requests of everything that it has received; so they are counted before it has it. What is
//! no HTTP is counted somehow: the library refuses it.

/// The bytes of a line that matter here.
const LINE: usize = 64;

/// Counts the heads of requests.
#[derive(Debug)]
pub(super) struct RequestCounter {
    /// Since it was last set to zero.
    pub(super) count: u32,
    at: Position,
    /// The beginning of the line that is being received.
    begun: Vec<u8>,
    /// Whether that line is longer than what was kept of it.
    cut: bool,
    body: Body,
    /// Where in a request's first line it is.
    first: LinePart,
}

/// A part of a request's first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LinePart {
    Method,
    Path,
    Query,
    /// What follows the target, and every other line.
    Past,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
enum Position {
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

impl RequestCounter {
    pub(super) const fn new() -> Self {
        let (at, body, first) = (Position::Line, Body::Length(0), LinePart::Method);
        Self { count: 0, at, begun: Vec::new(), cut: false, body, first }
    }

    /// Takes what was received. What the library must be given instead is returned, if that differs.
    ///
    /// It refuses a target with a bare `"`, `<`, `>` or backtick, which others take and callers send.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let (mut left, mut encoded) = (bytes, None);
        while !left.is_empty() {
            left = match self.at {
                Position::Skip(length, next) => self.skip(length, next, left),
                Position::Line | Position::ChunkLine | Position::Trailer => {
                    let from = bytes.len() - left.len();
                    self.line(left, |at| {
                        encoded.get_or_insert_with(|| Encoded::of(bytes)).put(from + at);
                    })
                }
            };
        }
        encoded.map(Encoded::finish)
    }

    /// Follows a request's first line, and tells where a byte is to be percent-encoded.
    fn first(&mut self, part: &[u8], mut encode: impl FnMut(usize)) {
        for (at, byte) in part.iter().enumerate() {
            self.first = match (self.first, byte) {
                (LinePart::Past, _) => return,
                (LinePart::Method, b' ') => LinePart::Path,
                (LinePart::Path | LinePart::Query, b' ') => LinePart::Past,
                (LinePart::Path, b'?') => LinePart::Query,
                (LinePart::Path | LinePart::Query, b'"' | b'<' | b'>') | (LinePart::Path, b'`') => {
                    encode(at);
                    self.first
                }
                (same, _) => same,
            };
        }
    }

    fn skip<'a>(&mut self, left: u64, next: Next, bytes: &'a [u8]) -> &'a [u8] {
        let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - here as u64;
        self.at = match (left, next) {
            (0, Next::Line) => Position::Line,
            (0, Next::ChunkLine) => Position::ChunkLine,
            _ => Position::Skip(left, next),
        };
        bytes.get(here..).unwrap_or_default()
    }

    fn line<'a>(&mut self, bytes: &'a [u8], encode: impl FnMut(usize)) -> &'a [u8] {
        let end = memchr::memchr(b'\n', bytes);
        let (part, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        if matches!(self.at, Position::Line) && self.first != LinePart::Past {
            self.first(part, encode);
        }
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
            Position::ChunkLine => chunk(text).filter(|_| !cut).unwrap_or_else(|| self.give_up()),
            // The library ends a trailer's line at CR only.
            Position::Trailer if !cut && text.len() == line.len() => self.give_up(),
            Position::Trailer if is_empty => Position::Line,
            Position::Trailer => Position::Trailer,
            _ if is_empty => self.end_of_head(),
            _ => {
                self.first = LinePart::Past;
                self.note(text, cut);
                Position::Line
            }
        };
        self.begun = line;
        self.begun.clear();
        rest.get(1..).unwrap_or_default()
    }

    /// What cannot be followed might hide any number.
    fn give_up(&mut self) -> Position {
        self.count = u32::MAX;
        Position::Line
    }

    fn end_of_head(&mut self) -> Position {
        self.count = self.count.saturating_add(1);
        self.first = LinePart::Method;
        match std::mem::replace(&mut self.body, Body::Length(0)) {
            Body::Length(0) => Position::Line,
            Body::Length(length) => Position::Skip(length, Next::Line),
            Body::Chunked => Position::ChunkLine,
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

/// Received bytes of which some are percent-encoded.
struct Encoded<'a> {
    bytes: &'a [u8],
    /// How many of them are in `out`.
    taken: usize,
    out: Vec<u8>,
}

impl<'a> Encoded<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, taken: 0, out: Vec::with_capacity(bytes.len() + 16) }
    }

    fn put(&mut self, at: usize) {
        self.out.extend_from_slice(self.bytes.get(self.taken..at).unwrap_or_default());
        let byte = self.bytes.get(at..=at).unwrap_or_default();
        self.out.extend(
            percent_encoding::percent_encode(byte, percent_encoding::NON_ALPHANUMERIC).flat_map(str::bytes),
        );
        self.taken = at + 1;
    }

    fn finish(mut self) -> Vec<u8> {
        self.out.extend_from_slice(self.bytes.get(self.taken..).unwrap_or_default());
        self.out
    }
}

/// What follows the line before a chunk: its bytes and the end of their line, or the trailer; none for no such line.
fn chunk(line: &[u8]) -> Option<Position> {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    match u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()? {
        0 => Some(Position::Trailer),
        size => Some(Position::Skip(size.saturating_add(2), Next::ChunkLine)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the bytes are cut, the count is the same.
    fn one(text: &str) -> u32 {
        let bytes = text.as_bytes();
        let mut whole = RequestCounter::new();
        whole.take(bytes);
        for size in [1, 2, 3, 7] {
            let mut heads = RequestCounter::new();
            bytes.chunks(size).for_each(|chunk| drop(heads.take(chunk)));
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
    fn what_targets_may_not_hold_is_encoded_in_targets_and_nowhere_else() {
        let of = |text: &str, size: usize| {
            let mut heads = RequestCounter::new();
            let given = |chunk: &[u8]| heads.take(chunk).unwrap_or_else(|| chunk.to_vec());
            String::from_utf8(text.as_bytes().chunks(size).flat_map(given).collect()).unwrap()
        };
        let rest = "X: \"<`>\"\r\nContent-Length: 11\r\n\r\nG /\"<`>?\"\r\n";
        for (written, read) in [
            ("GET /a?b={\"c\":\"d\"} HTTP/1.1", "GET /a?b={%22c%22:%22d%22} HTTP/1.1"),
            ("GET /<a>`?<`> HTTP/1.1", "GET /%3Ca%3E%60?%3C`%3E HTTP/1.1"),
            ("G\"T / HTTP\"1.1", "G\"T / HTTP\"1.1"),
            ("GET /a?b=%22 HTTP/1.1", "GET /a?b=%22 HTTP/1.1"),
        ] {
            let [sent, expected] =
                [written, read].map(|line| format!("{line}\r\n{rest}{line}\r\n\r\n{line}\n{rest}"));
            for size in [1, 2, 5, 1000] {
                assert_eq!(of(&sent, size), expected, "in pieces of {size}");
            }
        }
        assert_eq!(RequestCounter::new().take(b"GET /a HTTP/1.1\r\nX: \"\r\n\r\n"), None);
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
