//! The credentials of `Authorization: Bearer <token>`, one way to read them for every door.

/// The token, without blanks around it; the scheme is written in any case (RFC 9110, 11.1).
#[must_use]
pub fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.trim_ascii_start().split_at_checked("bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token.trim_ascii())
}
