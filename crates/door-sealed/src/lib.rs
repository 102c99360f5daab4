//! The sealed door: `POST /v1`, both shapes.
//!
//! Everything that is not proven gets the plain 401, on a tick, so that neither bytes nor time tell why.

mod classic;
mod clients;
mod envelope;
mod proof;
mod reason;
mod replies;
mod search;
mod tick;

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::{Method, StatusCode, header};
use actix_web::web::{self, Bytes, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use msp_core::clock::Clock;
use msp_core::{Access, Caller, Calls, Door, Guard, Refusal, Refused, RequestId, RequestIds};
use msp_http::{BodyRefusal, Peer, UnderWay, plain, read_body as read_whole, refuse_announced};
use msp_protocol::classic::ReplyTag;
use msp_protocol::envelope::PairKeys;
use msp_protocol::{Body, DecodeError, OsRng, PrivateKey, PublicKey};
use msp_settings::{InForce, LimitSettings, Settings};
use tracing::Instrument as _;

use self::clients::Entry;
use self::reason::Reason;
use self::search::ClassicSearch;
use self::tick::RefusalTick;

pub use self::clients::Clients;

/// What the door needs of the server.
pub struct Parts {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings that are in force.
    pub settings: InForce<Arc<Settings>>,
    /// Where request ids come from.
    pub ids: Arc<RequestIds>,
    /// The pipeline.
    pub calls: Arc<Calls>,
    /// What was accepted, and who has failed how often.
    pub guard: Guard,
    /// The clients.
    pub clients: Arc<Clients>,
    /// The server's private key.
    pub key: Arc<PrivateKey>,
}

/// The door.
pub struct Sealed {
    clock: Arc<dyn Clock>,
    settings: InForce<Arc<Settings>>,
    ids: Arc<RequestIds>,
    calls: Arc<Calls>,
    guard: Guard,
    clients: Arc<Clients>,
    key: Arc<PrivateKey>,
    reply_tag: ReplyTag,
    /// Opens nothing; a stranger's message is tried against it.
    dummy: PairKeys,
    search: ClassicSearch,
    tick: RefusalTick,
    /// The runtime of the background work, which outlives the workers'.
    background: tokio::runtime::Handle,
}

impl Sealed {
    /// Opens the door, on the runtime of the background work.
    ///
    /// # Errors
    /// When the search has no thread.
    pub fn open(parts: Parts) -> std::io::Result<Self> {
        let Parts { clock, settings, ids, calls, guard, clients, key } = parts;
        Ok(Self {
            reply_tag: ReplyTag::new(&key),
            dummy: PairKeys::dummy(&mut OsRng),
            search: ClassicSearch::start(key.clone(), clients.clone(), clock.clone())?,
            tick: RefusalTick::new(clock.clone()),
            background: tokio::runtime::Handle::current(),
            clock,
            settings,
            ids,
            calls,
            guard,
            clients,
            key,
        })
    }

    /// The server's public key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        self.key.public()
    }

    /// Derives the keys of new clients, so that no search has to.
    pub fn warm(&self) {
        self.search.warm();
    }
}

/// What logs call this door.
const DOOR: Door = Door::named("sealed");

/// The methods of the two paths, for `Allow`.
const ALLOW: &str = "OPTIONS, POST";

/// Mounts the door.
pub fn configure(config: &mut ServiceConfig) {
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
    /// Those that hold for this request, whatever changes meanwhile.
    settings: Arc<Settings>,
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

impl Incoming {
    /// The caller of a proven request.
    fn caller(&self, client: &Entry, ceiling: Access) -> Arc<Caller> {
        Arc::new(Caller {
            identity: client.identity(),
            grants: client.record.grants.clone(),
            ceiling,
            door: DOOR,
            address: self.peer.address,
            request: self.id,
        })
    }
}

async fn receive(request: HttpRequest, payload: Payload, door: Data<Sealed>) -> HttpResponse {
    let _under_way = UnderWay::begin(&request);
    let settings = door.settings.now();
    let (id, peer) = (door.ids.next(), Peer::of(&request, &settings.proxy));
    let Peer { address, scheme, host, port, prefix, .. } = &peer;
    tracing::debug!(req = %id, %address, ?scheme, ?host, ?port, ?prefix, "request");
    let span = tracing::debug_span!("request", req = %id, door = DOOR.as_str());
    answer(&door, id, peer, &settings.limits, &request, payload).instrument(span).await
}

async fn answer(
    door: &Sealed,
    id: RequestId,
    peer: Peer,
    limits: &LimitSettings,
    request: &HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let body = read_body(request, payload, limits).await;
    // The call begins when its request is complete: what was changed while the body came counts.
    let (settings, since) = (door.settings.now(), Cell::new(door.clock.monotonic()));
    let incoming = Incoming { id, peer, settings, since };
    let decoded = match body {
        Ok(body) => Ok(decode(door, &incoming, &body).await),
        Err(reason) => Err(reason),
    };
    let outcome = match decoded {
        // Boxed, so that what is held back takes no room for what it will never do.
        Ok(Some(Body::Classic(request))) => Box::pin(classic::answer(door, &incoming, *request)).await,
        Ok(Some(Body::Envelope(sealed))) => Box::pin(envelope::answer(door, &incoming, &sealed)).await,
        Ok(None) => Outcome::Refused,
        Err(reason @ Reason::Body(BodyRefusal::TooLarge)) => {
            door.refuse(&incoming, None, "413", &reason);
            return plain(StatusCode::PAYLOAD_TOO_LARGE);
        }
        Err(reason) => {
            door.refuse_stranger(&incoming, &reason).await;
            Outcome::Refused
        }
    };
    match outcome {
        Outcome::Answer(status, body) => {
            HttpResponse::build(status).content_type(header::ContentType::json()).body(body)
        }
        Outcome::Failed => plain(StatusCode::INTERNAL_SERVER_ERROR),
        Outcome::Refused => door.tick.refuse(incoming.since.get()).await,
    }
}

/// Reads what may come to something; none when it is refused.
async fn decode(door: &Sealed, incoming: &Incoming, body: &[u8]) -> Option<Body> {
    if !door.calls.rates.address_may(incoming.peer.address) {
        door.refuse(incoming, None, "401", &Reason::RateLimited);
        return None;
    }
    // Nothing can come of a classic request of a slowed address that no client called from; an envelope is opened.
    if !Body::may_be_envelope(body) && classic::is_shut_out(door, incoming.peer.address).await {
        door.refuse_stranger(incoming, &Reason::Slowed).await;
        return None;
    }
    match Body::parse(body) {
        Ok(Body::Classic(_)) if !incoming.settings.clients.classic => {
            door.refuse(incoming, None, "401", &Reason::ClassicOff);
            None
        }
        Ok(body) => Some(body),
        Err(error) => {
            door.refuse_malformed(incoming, error).await;
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
    refuse_announced(request, limits).map_err(Reason::Body)?;
    if !is_json(request) {
        return Err(Reason::ContentType);
    }
    read_whole(payload, limits).await.map_err(Reason::Body)
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

impl Sealed {
    /// Keeps the true reason of a refusal.
    fn refuse(
        &self,
        incoming: &Incoming,
        client: Option<&Entry>,
        answer: &'static str,
        reason: &dyn Refusal,
    ) {
        let caller = client.and_then(|client| client.identity().label().map(Into::into));
        let (request, address) = (incoming.id, incoming.peer.address);
        self.calls.refusals.note(Refused { request, address, caller, answer }, reason);
    }

    /// Counts a failure against the address.
    async fn note_failure(&self, incoming: &Incoming) {
        let Peer { address, is_hop, .. } = incoming.peer;
        self.guard.failures.note(address, is_hop).await;
    }

    /// Keeps the reason, and counts a failure against the address.
    async fn refuse_stranger(&self, incoming: &Incoming, reason: &Reason) {
        self.note_failure(incoming).await;
        self.refuse(incoming, None, "401", reason);
    }

    /// The same for what does not decode.
    async fn refuse_malformed(&self, incoming: &Incoming, error: DecodeError) {
        let reason = if error == DecodeError::Sealed { Reason::Stranger } else { Reason::Malformed(error) };
        self.refuse_stranger(incoming, &reason).await;
    }
}
