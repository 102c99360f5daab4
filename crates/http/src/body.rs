//! Reading a request's body within its limits of size and time.

use std::future::{Future as _, poll_fn};
use std::task::Poll;

use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, Payload};
use msp_core::{Refusal, Severity};
use msp_protocol::DecodeError;
use msp_settings::LimitSettings;

/// Why there is no body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyRefusal {
    /// It is larger than the limit.
    #[error("the body is larger than [Limits] Body")]
    TooLarge,
    /// It did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,
    /// It ended too early.
    #[error("malformed: {}", DecodeError::Size)]
    Torn,
}

impl Refusal for BodyRefusal {
    fn severity(&self) -> Severity {
        Severity::Info
    }
}

/// The whole body; one that says of itself that it is too large is for [`refuse_announced`].
///
/// # Errors
/// [`BodyRefusal`].
pub async fn read_body(payload: Payload, limits: &LimitSettings) -> Result<Bytes, BodyRefusal> {
    let mut reading = std::pin::pin!(payload.to_bytes_limited(limits.body));
    // Most bodies came with their head: a timer would be made for nothing.
    let read = match poll_fn(|context| Poll::Ready(reading.as_mut().poll(context))).await {
        Poll::Ready(read) => read,
        Poll::Pending => match tokio::time::timeout(limits.body_timeout, reading).await {
            Ok(read) => read,
            Err(_) => return Err(BodyRefusal::TooSlow),
        },
    };
    match read {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(BodyRefusal::Torn),
        Err(_) => Err(BodyRefusal::TooLarge),
    }
}

/// Refuses a body that says of itself that it is too large.
///
/// # Errors
/// [`BodyRefusal::TooLarge`].
pub fn refuse_announced(request: &HttpRequest, limits: &LimitSettings) -> Result<(), BodyRefusal> {
    let announced =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > limits.body as u64) {
        return Err(BodyRefusal::TooLarge);
    }
    Ok(())
}
