//! From a refusal to what each door answers; the only place that knows both.

use actix_web::HttpResponse;
use actix_web::body::{BodyStream, BoxBody};
use actix_web::http::StatusCode;
use msp_core::{CallError, Catalogue, Denied, Reason};
use msp_protocol::envelope::Failure;
use msp_protocol::{ErrorCode, FunctionName};

/// Why arguments are refused that would arrive as others.
pub(crate) const BEYOND_64_BITS: &str = "a whole number in it is beyond 64 bits; send it as text";
/// The most characters that are kept of what a function says of its failure: the ring holds 10,000 of them.
const LONGEST_REASON: usize = 500;

/// Why a proven caller's call brought no answer.
#[derive(Debug)]
pub(crate) enum CallRefusal {
    Call(CallError),
    Denied(Denied),
    /// No function of this name, because what is configured does not load.
    NotLoaded(Reason),
    /// The call worked, but its answer is larger than `[Limits] Answer`.
    AnswerTooLarge,
    /// This caller's rate, the guard or its share of it is at its limit.
    Limited(Reason),
}

impl CallRefusal {
    /// The code of the envelope shape.
    pub(crate) const fn code(&self) -> ErrorCode {
        match self {
            Self::Call(error) => error.code(),
            Self::Denied(Denied::Unknown) | Self::NotLoaded(_) => ErrorCode::UnknownFunction,
            Self::Denied(Denied::Forbidden | Denied::ClassicWrite | Denied::EnvelopeOnly) => {
                ErrorCode::Forbidden
            }
            Self::AnswerTooLarge => ErrorCode::TooLarge,
            Self::Denied(Denied::Loading) | Self::Limited(_) => ErrorCode::Busy,
        }
    }

    /// What the envelope shape tells the caller; details of a failure stay in the log.
    pub(crate) fn failure(&self) -> Failure {
        let message = match (self, self.code()) {
            (Self::Call(CallError::BadArguments(message)), _) => message.clone(),
            (_, code) => message(code).to_owned(),
        };
        Failure { code: self.code().into(), message, not_before: None }
    }

    /// True where the classic shape answers 500 and not the plain 401.
    pub(crate) const fn is_failure_of_the_function(&self) -> bool {
        match self.code() {
            ErrorCode::FunctionFailed | ErrorCode::Timeout => true,
            ErrorCode::BadArguments
            | ErrorCode::Busy
            | ErrorCode::ClockSkew
            | ErrorCode::Disabled
            | ErrorCode::Expired
            | ErrorCode::Forbidden
            | ErrorCode::TooLarge
            | ErrorCode::UnknownFunction => false,
        }
    }

    /// The same, with why what is configured does not exist.
    pub(crate) fn explained(self, catalogue: &Catalogue, function: &FunctionName) -> Self {
        match self {
            Self::Denied(Denied::Unknown) => not_loaded(catalogue, function).map_or(self, Self::NotLoaded),
            _ => self,
        }
    }

    /// The true reason, for the ring.
    pub(crate) fn reason(self, function: &FunctionName) -> Reason {
        let name = function.as_str().escape_debug().to_string();
        match self {
            Self::Denied(denied) => Reason::Denied(denied, name),
            Self::NotLoaded(reason) => reason,
            Self::AnswerTooLarge | Self::Call(CallError::TooLarge) => Reason::TooLarge(name),
            Self::Limited(reason) => reason,
            Self::Call(CallError::Busy) => Reason::Busy,
            Self::Call(CallError::Timeout) => Reason::Timeout(name),
            Self::Call(error) => {
                let why = error.to_string().escape_debug().take(LONGEST_REASON).collect();
                Reason::FunctionFailed(name, why)
            }
        }
    }
}

/// Why a function that is configured does not exist; none when none is configured.
pub(crate) fn not_loaded(catalogue: &Catalogue, function: &FunctionName) -> Option<Reason> {
    let trouble = catalogue.trouble(function)?;
    // A file's name may hold anything.
    let safe = |character: char| if character.is_control() { ' ' } else { character };
    let why = trouble.why.as_ref()?.chars().map(safe).take(LONGEST_REASON).collect();
    Some(Reason::NotLoaded(function.as_str().escape_debug().to_string(), trouble.source.to_string(), why))
}

/// One sentence for the caller.
const fn message(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::BadArguments => "the function refused its arguments",
        ErrorCode::Busy => "at its limit; try again later",
        ErrorCode::ClockSkew => "the time of the request is outside what the server accepts",
        ErrorCode::Disabled => "this client is disabled; ask the operator",
        ErrorCode::Expired => "the registration of this client has expired; ask the operator",
        ErrorCode::Forbidden => "no grant of this caller covers the function",
        ErrorCode::FunctionFailed => "the function failed",
        ErrorCode::Timeout => "the function took longer than its limit",
        ErrorCode::TooLarge => "the answer is larger than the limit",
        ErrorCode::UnknownFunction => "no function of this name",
    }
}

/// What a client is told that has proved itself and is registered no longer.
pub(crate) fn closed(code: ErrorCode) -> Failure {
    Failure { code: code.into(), message: message(code).to_owned(), not_before: None }
}

/// What `clock_skew` tells.
pub(crate) fn clock_skew(not_before: msp_protocol::UnixSecond) -> Failure {
    let code = ErrorCode::ClockSkew;
    Failure { code: code.into(), message: message(code).to_owned(), not_before: Some(not_before) }
}

/// A status with an empty body: the plain 401, 404, 405, 413 and classic's 500.
pub(crate) fn plain(status: StatusCode) -> HttpResponse {
    HttpResponse::new(status)
}

/// Closes the connection without an answer: the body fails before the head is flushed.
pub(crate) fn close_unanswered() -> HttpResponse {
    let failing = futures_util::stream::once(async {
        Err::<actix_web::web::Bytes, _>(std::io::Error::other("closed unanswered"))
    });
    HttpResponse::new(StatusCode::UNAUTHORIZED).set_body(BoxBody::new(BodyStream::new(Box::pin(failing))))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use actix_web::{App, HttpServer, web};

    use super::*;

    #[test]
    fn what_a_function_says_of_its_failure_is_cut() {
        let name = "f".parse().unwrap();
        let reason = |error| CallRefusal::Call(error).reason(&name);
        assert_eq!(
            reason(CallError::Failed("one\ntwo".into())),
            Reason::FunctionFailed("f".into(), "one\\ntwo".into())
        );
        for error in [CallError::Failed("\0".repeat(16_384)), CallError::BadArguments("x".repeat(16_384))] {
            let Reason::FunctionFailed(_, why) = reason(error) else { panic!("another reason") };
            assert_eq!(why.chars().count(), LONGEST_REASON);
        }
    }

    #[actix_web::test]
    async fn closing_unanswered_sends_not_one_byte() {
        let server = HttpServer::new(|| App::new().default_service(web::to(async || close_unanswered())))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .unwrap();
        let [address] = server.addrs()[..] else { panic!("one address") };
        let server = server.run();
        let handle = server.handle();
        let running = tokio::spawn(server);
        let received = tokio::task::spawn_blocking(move || {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(b"POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n").unwrap();
            let mut received = Vec::new();
            let _reset_or_closed = stream.read_to_end(&mut received);
            received
        });
        assert_eq!(String::from_utf8(received.await.unwrap()).unwrap(), "");
        handle.stop(false).await;
        running.await.unwrap().unwrap();
    }
}
