//! A path, cut and decoded once.

use percent_encoding::percent_decode_str;

/// A request's path: `/<first>`, or `/<first>/<rest>`.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    /// The first part, decoded.
    pub first: String,
    /// What comes behind it, decoded as a whole; none when there is nothing.
    pub rest: Option<String>,
    /// The same as it was sent, with its slash; empty without one.
    pub raw_rest: String,
}

impl Path {
    /// None for a path that is not text, or has no first part.
    #[must_use]
    pub fn of(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (first, raw_rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        let first = decoded(first).filter(|first| !first.is_empty())?;
        let rest = decoded(raw_rest.strip_prefix('/').unwrap_or_default())?;
        Some(Self { first, rest: Some(rest).filter(|rest| !rest.is_empty()), raw_rest: raw_rest.to_owned() })
    }
}

/// Percent-decoded, when that is text.
#[must_use]
pub fn decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_13_what_lies_behind_the_name_is_decoded_as_a_whole() {
        let of = |path: &str| Path::of(path).map(|path| (path.first, path.rest));
        let path = |first: &str, rest: Option<&str>| Some((first.to_owned(), rest.map(str::to_owned)));
        assert_eq!(of("/p"), path("p", None));
        assert_eq!(of("/p/"), path("p", None));
        assert_eq!(of("/p/a/b"), path("p", Some("a/b")));
        assert_eq!(of("/p/a%2fb%20c"), path("p", Some("a/b c")));
        assert_eq!(of("/%70//x"), path("p", Some("/x")));
        for none in ["", "/", "//x", "/%ff", "/p/%ff", "x"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
