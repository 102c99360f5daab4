//! The sealed door: `POST /v1`, both shapes.
//!
//! Everything that is not proven gets the plain 401, on a tick, so that neither bytes nor time tell why.

mod classic;
mod envelope;
mod proof;
mod search;
mod tick;

use std::cell::Cell;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, Bytes, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use msp_core::{Guard as _, Reason, RequestId};
use msp_protocol::{Body, DecodeError};

use crate::body;
use crate::connections::UnderWay;
use crate::peer::Peer;
use crate::problem;
use crate::refusals::Refusal;
use crate::state::State;

pub(crate) use search::ClassicSearch;
pub(crate) use tick::RefusalTick;

/// The methods of the two paths, for `Allow`.
const ALLOW: &str = "OPTIONS, POST";

/// Mounts the door.
pub(crate) fn configure(config: &mut ServiceConfig) {
    // Each by itself: two patterns in one would be matched by a regular expression.
    for path in ["/v1", "/v1/"] {
        config.service(
            web::resource(path)
                .route(web::post().to(receive))
                .route(web::method(Method::OPTIONS).to(|| async { allow(StatusCode::OK) }))
                .default_service(web::to(|| async { allow(StatusCode::METHOD_NOT_ALLOWED) })),
        );
    }
}

fn allow(status: StatusCode) -> HttpResponse {
    HttpResponse::build(status).insert_header((header::ALLOW, ALLOW)).finish()
}

/// What is known of a request before it is read.
struct Incoming {
    id: RequestId,
    peer: Peer,
    /// The moment that a refusal is timed by: the body's arrival, or the end of a search. Monotonic.
    since: Cell<Duration>,
}

/// What a request comes to.
enum Outcome {
    /// A sealed answer, for whoever has proved itself.
    Answer(StatusCode, String),
    /// Classic's 500: the function failed.
    Failed,
    /// The plain 401.
    Refused,
}

async fn receive(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let _under_way = UnderWay::begin(&request);
    let settings = state.settings.load();
    let incoming = Incoming {
        id: state.next_request_id(),
        peer: Peer::of(&request, &settings.proxy),
        since: Cell::new(Duration::ZERO),
    };
    let Peer { address, scheme, host, port, prefix, .. } = &incoming.peer;
    tracing::debug!(req = %incoming.id, %address, ?scheme, ?host, ?port, ?prefix, "request");
    let body = read_body(&request, payload, &settings.limits).await;
    incoming.since.set(state.clock.monotonic());
    let outcome = match body.map(|body| decode(&state, &incoming, &body)) {
        // Boxed, so that what is held back takes no room for what it will never do.
        Ok(Some(Body::Classic(request))) => Box::pin(classic::answer(&state, &incoming, *request)).await,
        Ok(Some(Body::Envelope(sealed))) => Box::pin(envelope::answer(&state, &incoming, &sealed)).await,
        Ok(None) => Outcome::Refused,
        Err(Reason::BodyTooLarge) => {
            state.refuse(&incoming, None, "413", Reason::BodyTooLarge);
            return problem::plain(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Err(reason) => {
            state.refuse_stranger(&incoming, reason);
            Outcome::Refused
        }
    };
    match outcome {
        Outcome::Answer(status, body) => {
            HttpResponse::build(status).content_type(header::ContentType::json()).body(body)
        }
        Outcome::Failed => problem::plain(StatusCode::INTERNAL_SERVER_ERROR),
        Outcome::Refused => state.refusal_tick.refuse(incoming.since.get()).await,
    }
}

/// Reads what may come to something; none when it is refused.
fn decode(state: &State, incoming: &Incoming, body: &[u8]) -> Option<Body> {
    if !state.rates.address_may(incoming.peer.address) {
        state.refuse(incoming, None, "401", Reason::RateLimited);
        return None;
    }
    // Nothing can come of a classic request of a slowed address that no client called from; an envelope is opened.
    if !Body::may_be_envelope(body) && classic::is_shut_out(state, incoming.peer.address) {
        state.refuse_stranger(incoming, Reason::Slowed);
        return None;
    }
    match Body::parse(body) {
        Ok(Body::Classic(_)) if !state.settings.load().clients.classic => {
            state.refuse(incoming, None, "401", Reason::ClassicOff);
            None
        }
        Ok(body) => Some(body),
        Err(error) => {
            state.refuse_malformed(incoming, error);
            None
        }
    }
}

/// Reads the body within its limits of type, size and time.
async fn read_body(
    request: &HttpRequest,
    payload: Payload,
    limits: &msp_settings::LimitSettings,
) -> Result<Bytes, Reason> {
    body::refuse_announced(request, limits)?;
    if !is_json(request) {
        return Err(Reason::ContentType);
    }
    body::read(payload, limits).await
}

/// `application/json` or `application/*+json`, with any parameters.
fn is_json(request: &HttpRequest) -> bool {
    let essence = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence =
        essence.and_then(|value| value.split(';').next()).unwrap_or_default().trim().to_ascii_lowercase();
    match essence.strip_prefix("application/") {
        Some("json") => true,
        Some(subtype) => subtype.len() > "+json".len() && subtype.ends_with("+json"),
        None => false,
    }
}

impl State {
    /// Keeps the true reason of a refusal.
    fn refuse(&self, incoming: &Incoming, client: Option<String>, answer: &'static str, reason: Reason) {
        self.refusals.note(Refusal {
            id: incoming.id,
            address: incoming.peer.address,
            client,
            answer,
            reason,
        });
    }

    /// Keeps the reason, and counts a failure against the address.
    fn refuse_stranger(&self, incoming: &Incoming, reason: Reason) {
        self.guard.note_failure(incoming.peer.address, incoming.peer.is_hop, None);
        self.refuse(incoming, None, "401", reason);
    }

    /// The same for what does not decode.
    fn refuse_malformed(&self, incoming: &Incoming, error: DecodeError) {
        let reason = if error == DecodeError::Sealed { Reason::Stranger } else { Reason::Malformed(error) };
        self.refuse_stranger(incoming, reason);
    }
}
