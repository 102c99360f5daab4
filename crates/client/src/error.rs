//! Why a call brought no answer.

use std::time::Duration;

use msp_protocol::envelope::FailureCode;
use msp_protocol::{DecodeError, ErrorCode, FunctionName, UnixSecond};

use crate::address::{Address, AddressError};

/// Why a call brought no answer; each message is one line for a person and holds no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The text given as the server's URL is none.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The server knows this client and says, under seal, why there is no answer.
    #[error("{code}: {} (request {request})", .message.escape_debug())]
    Answer {
        /// The kind of refusal or failure.
        code: FailureCode,
        /// The server's explanation.
        message: String,
        /// For [`ErrorCode::ClockSkew`]: the first second, on the server's clock, that it would accept.
        not_before: Option<UnixSecond>,
        /// The server's clock when it answered.
        server_time: UnixSecond,
        /// The request's id in the server's log.
        request: String,
    },
    /// The function failed or took too long, as the classic shape says it: without a proof of who says so.
    #[error("{function} failed or took too long, says {address} (500)")]
    ClassicFailed {
        /// The server.
        address: Address,
        /// The function called.
        function: FunctionName,
    },
    /// No connection could be opened, so nothing was sent.
    #[error("cannot connect to {address}: {cause}")]
    Connect {
        /// The server.
        address: Address,
        /// What the network said.
        cause: String,
    },
    /// The connection broke after the request was sent: the function may have run.
    #[error("the connection to {address} broke before the answer was whole ({cause}); the call may have run")]
    Interrupted {
        /// The server.
        address: Address,
        /// What the network said.
        cause: String,
    },
    /// [`ClientBuilder::keys`](crate::ClientBuilder::keys) was not called.
    #[error("no keys were given to the client")]
    NoKeys,
    /// What came back was not made by the server's key for this request: the call may have run, or never arrived.
    #[error(
        "the answer of {address} is not from the server whose key is pinned, or not to this call ({cause})"
    )]
    NotAuthentic {
        /// The server.
        address: Address,
        /// What is wrong with the answer.
        cause: DecodeError,
    },
    /// It sends callers elsewhere, and not to where the same server surely is.
    #[error(
        "{address} redirects to {to} ({status}), which is not followed; if the server is there, give that URL"
    )]
    Redirect {
        /// The server.
        address: Address,
        /// The status.
        status: u16,
        /// Where to, as it says.
        to: String,
    },
    /// The plain 401, which gives strangers no reason.
    #[error(
        "{address} refused the call (401): key or secret not registered, server.pub of another server, or a clock \
         more than half a minute wrong"
    )]
    Refused {
        /// The server.
        address: Address,
    },
    /// The call cannot be put into a request: its arguments are larger than 32 KiB or nested deeper than 32 levels.
    #[error("the arguments cannot be sent: {cause}")]
    Request {
        /// What is wrong with it.
        cause: DecodeError,
    },
    /// The server's public key protects nothing.
    #[error("the server's public key is a point of low order; get server.pub again")]
    ServerKey,
    /// The file of CA certificates is none.
    #[error("{path}: {cause}; right is a file of certificates as PEM")]
    CaFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        cause: String,
    },
    /// The HTTP client could not be made, for want of CA certificates for instance.
    #[error("cannot prepare connections: {cause}")]
    Setup {
        /// What is missing.
        cause: String,
    },
    /// An HTTP status no sealed door answers a good request with; a proxy on the way may have made it.
    #[error("{address} answered with the HTTP status {status}")]
    Status {
        /// The server.
        address: Address,
        /// The status.
        status: u16,
    },
    /// No whole answer within the time limit: the function may have run.
    #[error("no answer from {address} within {} s; the call may have run", .after.as_secs_f64())]
    Timeout {
        /// The server.
        address: Address,
        /// The time limit.
        after: Duration,
    },
    /// The reply is larger than the client reads.
    #[error("the reply of {address} is larger than {max_bytes} bytes")]
    TooLarge {
        /// The server.
        address: Address,
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// A built-in function answered with something else than the protocol says.
    #[error("{address} answered {function} with something else than expected; is it a newer version?")]
    Unexpected {
        /// The server.
        address: Address,
        /// The built-in function.
        function: &'static str,
    },
}

impl ClientError {
    /// True when the call surely did not run and trying it again soon may work.
    #[must_use]
    pub fn is_safe_to_retry(&self) -> bool {
        matches!(self, Self::Connect { .. } | Self::Answer { code: FailureCode::Known(ErrorCode::Busy), .. })
    }
}
