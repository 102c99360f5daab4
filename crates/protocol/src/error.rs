//! The one table of error codes, and why a message or a key could not be read.

/// What a proven caller is told when its call brought no answer.
///
/// The names are the wire's and never change; docs/ERRORS.md has a row for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The function refused its arguments.
    BadArguments,
    /// The server, the function or this caller's share is at its limit; trying again later may work.
    Busy,
    /// The request's time is outside what the server accepts; `not_before` says from when it would be.
    ClockSkew,
    /// The operator has disabled this client.
    Disabled,
    /// This client's registration has expired.
    Expired,
    /// The caller has no grant for this function.
    Forbidden,
    /// The function raised, crashed or returned what it may not.
    FunctionFailed,
    /// The function took longer than its limit.
    Timeout,
    /// The answer is larger than the limit.
    TooLarge,
    /// No function of this name exists.
    UnknownFunction,
}

impl ErrorCode {
    /// Every code, in alphabetical order.
    pub const ALL: [Self; 10] = [
        Self::BadArguments,
        Self::Busy,
        Self::ClockSkew,
        Self::Disabled,
        Self::Expired,
        Self::Forbidden,
        Self::FunctionFailed,
        Self::Timeout,
        Self::TooLarge,
        Self::UnknownFunction,
    ];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadArguments => "bad_arguments",
            Self::Busy => "busy",
            Self::ClockSkew => "clock_skew",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
            Self::Forbidden => "forbidden",
            Self::FunctionFailed => "function_failed",
            Self::Timeout => "timeout",
            Self::TooLarge => "too_large",
            Self::UnknownFunction => "unknown_function",
        }
    }

    /// Reads a name from the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == name)
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a message could not be read; for the operator's eyes only, a stranger gets the plain 401.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A value is not the base64 its place asks for.
    #[error("not base64")]
    Base64,
    /// The CRC-32 does not belong to the secret.
    #[error("the checksum does not fit the secret")]
    Checksum,
    /// Nested deeper than 32 levels.
    #[error("nested too deeply")]
    Depth,
    /// A member stands twice.
    #[error("a member stands twice")]
    DuplicateMember,
    /// A value that must not be empty or zero is.
    #[error("an empty or zero value")]
    Empty,
    /// An integer does not fit its range.
    #[error("an integer out of range")]
    IntegerRange,
    /// Not the JSON that was expected.
    #[error("not the expected JSON")]
    Json,
    /// The ephemeral key of the seal is of low order or not canonical.
    #[error("the seal's ephemeral key is a bad point")]
    Point,
    /// The function's name is empty, too long or holds control characters.
    #[error("not a legal function name")]
    Name,
    /// No registered key opens it: a stranger, a wrong server key, or a value that was changed.
    #[error("cannot be opened")]
    Sealed,
    /// Shorter or longer than any legal message.
    #[error("a wrong length")]
    Size,
    /// Not UTF-8.
    #[error("not UTF-8")]
    Utf8,
    /// The version byte is not one of ours.
    #[error("an unknown version")]
    Version,
}

/// Why a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Not standard padded base64.
    #[error("not base64 (44 characters, standard alphabet, with padding)")]
    Encoding,
    /// Another number of bytes than 32.
    #[error("{0} bytes instead of 32")]
    Length(usize),
    /// Every shared key made with this point would be zero.
    #[error("a point of low order, which protects nothing")]
    LowOrder,
    /// The point has another, shorter encoding.
    #[error("not the canonical encoding of a point")]
    NotCanonical,
}
