//! The plugin door: functions as REST routes, the routes that manage plugins, and static documents.
//!
//! One way for all of it: the connection must be private, the page that asks must be allowed to, the path names a
//! route, the key opens it, and then it is run. A stranger learns the status and one word.

mod access;
mod answer;
mod body;
mod control;
mod cors;
mod documents;
mod openapi;
mod path;
mod request;

use actix_web::http::Method;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use msp_core::{Origin, Reason, RequestId, call_web, permit};
use msp_protocol::FunctionName;
use msp_settings::{PluginSettings, Settings};

use self::answer::Refusal;
use self::path::Path;
use self::request::Asked;
use crate::connections::UnderWay;
use crate::peer::Peer;
use crate::problem::CallRefusal;
use crate::refusals;
use crate::state::State;

/// The methods of a route, for `Allow`.
const ALLOW: &str = "GET, HEAD, POST";

/// Mounts the door: it answers everything that no other door does.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.default_service(web::to(receive));
}

/// What is known of a request before it is read.
struct Incoming<'a> {
    state: &'a State,
    settings: &'a Settings,
    door: &'a PluginSettings,
    id: RequestId,
    peer: Peer,
    request: &'a HttpRequest,
}

async fn receive(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let _under_way = UnderWay::begin(&request);
    let settings = state.settings.load_full();
    let Some(door) = &settings.plugin else { return answer::refuse(&Refusal::NotFound) };
    let incoming = Incoming {
        state: &state,
        settings: &settings,
        door,
        id: state.next_request_id(),
        peer: Peer::of(&request, &settings.proxy),
        request: &request,
    };
    tracing::debug!(
        req = %incoming.id, address = %incoming.peer.address, method = %request.method(), path = request.path(), "request"
    );
    let mut response = match admit(&incoming) {
        Err(refusal) => answer::refuse(&refusal),
        Ok(()) => match cors::preflight(door.cors.as_ref(), &request) {
            Some(preflight) => preflight,
            None => serve(&incoming, payload).await.unwrap_or_else(|refusal| answer::refuse(&refusal)),
        },
    };
    cors::mark(door.cors.as_ref(), &request, &mut response);
    answer::harden(&mut response);
    response
}

/// What holds for every path of the door.
fn admit(incoming: &Incoming<'_>) -> Result<(), Refusal> {
    let Incoming { state, door, peer, request, .. } = incoming;
    if !state.rates.address_may(peer.address) {
        return Err(incoming.refuse(None, Reason::RateLimited, Refusal::Busy));
    }
    if !incoming.is_private() && !door.allow_plain {
        return Err(incoming.refuse(None, Reason::TlsRequired, Refusal::TlsRequired));
    }
    cors::admit(door.cors.as_ref(), request).map_err(|origin| {
        let origin = origin.chars().take(200).collect::<String>().escape_debug().to_string();
        incoming.refuse(None, Reason::OriginRefused(origin), Refusal::Origin)
    })
}

async fn serve(incoming: &Incoming<'_>, payload: Payload) -> Result<HttpResponse, Refusal> {
    let Incoming { state, door, request, .. } = incoming;
    let path = Path::of(request.path()).ok_or(Refusal::NotFound)?;
    let documents = door.documents.iter().find(|documents| documents.route == path.first);
    let method = request.method();
    let is_control = control::is_route(&path);
    let function = path.first.parse::<FunctionName>().ok().filter(|_| documents.is_none() && !is_control);
    let function = function.and_then(|name| state.runners.catalogue().find(&name).cloned());
    let function = function.filter(|function| function.route.is_some());
    if documents.is_none() && !is_control && function.is_none() {
        return Err(Refusal::NotFound);
    }
    let reads = matches!(*method, Method::GET | Method::HEAD);
    if !reads && (*method != Method::POST || documents.is_some()) {
        return Err(Refusal::Method(if documents.is_some() { "GET, HEAD" } else { ALLOW }));
    }
    if let Some(documents) = documents {
        return documents::serve(request, documents, &path).await;
    }
    let asked = Asked::read(incoming, payload, &path).await?;
    match function {
        Some(function) => run(incoming, asked, &function).await,
        None => control::serve(incoming, asked, &path).await,
    }
}

/// Runs a function for whoever may call it.
async fn run(
    incoming: &Incoming<'_>,
    mut asked: Asked,
    function: &msp_core::Function,
) -> Result<HttpResponse, Refusal> {
    let state = incoming.state;
    let (caller, label) = access::caller(incoming, &mut asked, function)?;
    if label.is_some() && !state.rates.caller_may(&caller.id) {
        return Err(incoming.refuse(label, Reason::Busy, Refusal::Busy));
    }
    let refused = |refusal: CallRefusal| {
        let answer = Refusal::of_call(&refusal);
        let reason = refusal.reason(&function.name);
        incoming.refuse(label.clone(), reason, answer)
    };
    let permit = permit(&caller, &state.runners.catalogue(), &function.name)
        .map_err(|denied| refused(CallRefusal::Denied(denied)))?;
    let (values, request) = asked.into_parts();
    let args = (function.origin == Origin::Plugins || !values.is_empty()).then_some(values.into());
    let answered =
        call_web(permit, args, request).await.map_err(|error| refused(CallRefusal::Call(error)))?;
    if caller.name.is_some() {
        state.note_success(&caller);
    }
    if answered.body.len() > incoming.settings.limits.answer {
        return Err(refused(CallRefusal::AnswerTooLarge));
    }
    answer::send(answered).map_err(|what| {
        refused(CallRefusal::Call(msp_core::CallError::Failed(format!(
            "its response cannot be sent: {what}"
        ))))
    })
}

impl Incoming<'_> {
    /// True when nobody on the way can read the request: TLS of ours or of a trusted proxy, or the machine itself.
    fn is_private(&self) -> bool {
        self.is_secure() || self.settings.network.bindto.is_loopback()
    }

    fn is_secure(&self) -> bool {
        let through_proxy =
            self.peer.scheme.as_ref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        self.state.tls.is_some() || through_proxy
    }

    /// Keeps the true reason of a refusal.
    fn refuse(&self, client: Option<String>, reason: Reason, refusal: Refusal) -> Refusal {
        self.state.refusals.note(refusals::Refusal {
            id: self.id,
            address: self.peer.address,
            client,
            answer: refusal.label(),
            reason,
        });
        refusal
    }
}
