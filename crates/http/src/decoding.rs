//! A body as bytes without compression, and as text.

use std::borrow::Cow;
use std::io::Read;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::Bytes;
use encoding_rs::{Encoding, UTF_8};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};

/// Why a body cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It is not what it says it is.
    Broken(String),
    /// It grows beyond `[Limits] Body`.
    TooLarge,
    /// It is said to be in a form that is not read here.
    Unsupported(String),
}

/// Takes the compression off that the headers name; no more than `limit` bytes come of it.
///
/// # Errors
/// [`Unreadable`].
pub async fn unpack(headers: &HeaderMap, body: Bytes, limit: usize) -> Result<Bytes, Unreadable> {
    let lines = headers.get_all(header::CONTENT_ENCODING).map(HeaderValue::as_bytes);
    let words = lines.flat_map(|line| line.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    let mut named = words.filter(|word| !word.is_empty() && !word.eq_ignore_ascii_case(b"identity"));
    let Some(word) = named.next() else { return Ok(body) };
    let name = word.to_ascii_lowercase();
    let unpack: fn(&[u8], usize) -> std::io::Result<Vec<u8>> = match (&*name, named.next()) {
        (b"gzip" | b"x-gzip", None) => |body, most| all(MultiGzDecoder::new(body), most),
        // Some send it with its frame, as the name is defined, some without.
        (b"deflate", None) => |body, most| match body {
            [first, second, ..]
                if first & 15 == 8 && u16::from_be_bytes([*first, *second]).is_multiple_of(31) =>
            {
                all(ZlibDecoder::new(body), most)
            }
            _ => all(DeflateDecoder::new(body), most),
        },
        _ => {
            let said = "the Content-Encoding is not one of gzip, deflate and identity";
            return Err(Unreadable::Unsupported(said.to_owned()));
        }
    };
    // Large ones take their time, which is not that of the other connections.
    let unpacked = tokio::task::spawn_blocking(move || unpack(&body, limit.saturating_add(1))).await;
    match unpacked {
        Ok(Ok(bytes)) if bytes.len() > limit => Err(Unreadable::TooLarge),
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) | Err(_) => {
            let name = String::from_utf8_lossy(&name);
            Err(Unreadable::Broken(format!("the body is not the {name} that its Content-Encoding says")))
        }
    }
}

fn all(packed: impl Read, most: usize) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    packed.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// How the bytes of a text are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charset {
    /// Each byte a character, as Python reads it; browsers take windows-1252 for it.
    Latin1,
    /// Any other.
    Other(&'static Encoding),
}

impl Charset {
    pub(crate) const UTF_8: Self = Self::Other(UTF_8);

    /// What `charset=` says in a type; UTF-8 where nothing does.
    pub(crate) fn of(content_type: &str) -> Result<Self, Unreadable> {
        let parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
        let mut named = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        let Some((_, label)) = named.next() else { return Ok(Self::UTF_8) };
        let label = label.trim().trim_matches('"').to_ascii_lowercase();
        match label.as_str() {
            "iso-8859-1" | "iso8859-1" | "iso_8859-1" | "latin-1" | "latin1" | "latin_1" | "l1" => {
                Ok(Self::Latin1)
            }
            "utf_8" | "" => Ok(Self::UTF_8),
            label => Encoding::for_label_no_replacement(label.as_bytes()).map(Self::Other).ok_or_else(|| {
                Unreadable::Unsupported("the charset of the Content-Type is not known here".to_owned())
            }),
        }
    }

    /// False for those in which the letters of ASCII are other bytes.
    pub(crate) fn holds_ascii(self) -> bool {
        match self {
            Self::Latin1 => true,
            Self::Other(encoding) => encoding.is_ascii_compatible(),
        }
    }

    /// The text; a mark of Unicode at its beginning goes before what was said, and is no part of it.
    pub(crate) fn text(self, bytes: &[u8]) -> Result<Cow<'_, str>, Unreadable> {
        let encoding = match self {
            Self::Latin1 => return Ok(encoding_rs::mem::decode_latin1(bytes)),
            Self::Other(encoding) => encoding,
        };
        let (encoding, mark) = Encoding::for_bom(bytes).unwrap_or((encoding, 0));
        let text = bytes.get(mark..).unwrap_or_default();
        encoding
            .decode_without_bom_handling_and_without_replacement(text)
            .ok_or_else(|| Unreadable::Broken(format!("the body is no {}", encoding.name())))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    async fn unpacked(encodings: &[&'static str], body: &[u8]) -> Result<Vec<u8>, Unreadable> {
        let mut headers = HeaderMap::new();
        for encoding in encodings {
            headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        unpack(&headers, Bytes::copy_from_slice(body), 1000).await.map(Into::into)
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packing = GzEncoder::new(Vec::new(), Compression::best());
        packing.write_all(text).unwrap();
        packing.finish().unwrap()
    }

    #[actix_web::test]
    async fn what_is_packed_is_unpacked_within_the_limit() {
        let text = b"a=1&b=2".as_slice();
        for encodings in [&[][..], &["identity"], &["Identity", ""]] {
            assert_eq!(unpacked(encodings, text).await, Ok(text.to_vec()));
        }
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(text).unwrap();
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
        raw.write_all(text).unwrap();
        for (encoding, body) in [
            ("gzip", gzip(text)),
            ("X-GZIP", gzip(text)),
            (" identity , gzip", gzip(text)),
            ("deflate", zlib.finish().unwrap()),
            ("deflate", raw.finish().unwrap()),
        ] {
            assert_eq!(unpacked(&[encoding], &body).await, Ok(text.to_vec()), "{encoding}");
            let cut = unpacked(&[encoding], &body[..body.len() / 2]).await;
            assert!(matches!(cut, Err(Unreadable::Broken(_))), "{encoding} {cut:?}");
        }
        assert_eq!(unpacked(&["gzip"], &gzip(&[b'x'; 1000])).await, Ok(vec![b'x'; 1000]));
        for bomb in [1001, 10_000_000] {
            assert_eq!(unpacked(&["gzip"], &gzip(&vec![b'x'; bomb])).await, Err(Unreadable::TooLarge));
        }
        assert!(matches!(unpacked(&["gzip"], text).await, Err(Unreadable::Broken(_))));
        for encodings in [&["br"][..], &["gzip, gzip"], &["gzip", "gzip"], &["zstd"]] {
            let refused = unpacked(encodings, &gzip(text)).await;
            assert!(matches!(refused, Err(Unreadable::Unsupported(_))), "{encodings:?}");
        }
    }

    #[test]
    fn text_is_read_in_the_charset_that_was_named_or_not_at_all() {
        let read = |kind: &str, bytes: &[u8]| {
            Charset::of(kind).and_then(|charset| charset.text(bytes).map(Cow::into_owned))
        };
        for (kind, bytes) in [
            ("a/b", "ü".as_bytes()),
            ("a/b; charset=utf-8", "ü".as_bytes()),
            ("a/b; charset=\"UTF-8\"", b"\xef\xbb\xbf\xc3\xbc"),
            ("a/b;x=y; Charset=ISO-8859-1", b"\xfc"),
            ("a/b;charset=latin-1", b"\xfc"),
            ("a/b;charset=windows-1252", b"\xfc"),
            ("a/b;charset=utf-16", b"\xff\xfe\xfc\0"),
            ("a/b;charset=utf-16", b"\xfe\xff\0\xfc"),
            ("a/b;charset=utf-16le", b"\xfc\0"),
            ("a/b;charset=utf-16be", b"\0\xfc"),
        ] {
            assert_eq!(read(kind, bytes), Ok("ü".to_owned()), "{kind} {bytes:?}");
        }
        for (kind, bytes) in
            [("", &b"\xfc"[..]), ("a/b;charset=utf-8", b"\xed\xa0\x80"), ("a/b;charset=utf-16le", b"\0\xd8")]
        {
            assert!(matches!(read(kind, bytes), Err(Unreadable::Broken(_))), "{kind}");
        }
        for kind in ["a/b;charset=klingon", "a/b;charset=utf-32", "a/b;charset=utf-7"] {
            assert!(matches!(read(kind, b"a"), Err(Unreadable::Unsupported(_))), "{kind}");
        }
    }
}
