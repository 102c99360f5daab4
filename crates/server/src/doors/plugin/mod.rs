//! The plugin door: functions as REST routes, the routes that manage plugins, and static documents.
//!
//! One way for all of it: the connection must be private, the page that asks must be allowed to, the path names a
//! route, the key opens it, and then it is run. A stranger learns the status and one word.

mod access;
mod address;
mod answer;
mod body;
mod control;
mod cors;
mod decoding;
mod documents;
mod openapi;
mod path;
mod request;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use msp_core::{
    CallError, Catalogue, Denied, Function, Guard as _, Origin, Reason, RequestId, Standing, WebRequest,
    call_web, permit,
};
use msp_protocol::{ErrorCode, FunctionName};
use msp_settings::{PluginSettings, Settings};

use self::answer::Refusal;
pub use self::documents::ExposedDocuments;
pub(crate) use self::documents::exposed;
use self::path::Path;
use self::request::Asked;
use crate::access::Access;
use crate::connections::UnderWay;
use crate::peer::Peer;
use crate::problem::{self, CallRefusal, not_loaded};
use crate::state::State;
use crate::{hosts, refusals};

/// The methods of a route, for `Allow`.
const ALLOW: &str = "GET, HEAD, POST";

/// How long a refusal is held back from an address that has failed too often.
const SLOW_DOWN: Duration = Duration::from_secs(1);

/// Mounts the door: it answers everything that no other door does.
pub(crate) fn configure(config: &mut ServiceConfig) {
    config.default_service(web::to(receive));
}

/// What is known of a request before it is read.
struct Incoming<'a> {
    state: &'a State,
    settings: Arc<Settings>,
    door: Arc<PluginSettings>,
    id: RequestId,
    peer: Peer,
    request: &'a HttpRequest,
}

async fn receive(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let _under_way = UnderWay::begin(&request);
    let settings = state.settings.load_full();
    let Some(door) = settings.plugin.clone() else { return answer::refuse(&Refusal::NotFound) };
    let id = state.next_request_id();
    let peer = Peer::of(&request, &settings.proxy);
    tracing::debug!(req = %id, address = %peer.address, method = %request.method(), path = request.path(), "request");
    let mut incoming = Incoming { state: &state, settings, door, id, peer, request: &request };
    if let Err(status) = incoming.admit_host() {
        return problem::plain(status);
    }
    let path = Path::of(request.path());
    let mut response = match admit(&incoming, path.as_ref()) {
        Err(refusal) => answer::refuse(&refusal),
        Ok(()) => match cors::preflight(incoming.door.cors.as_ref(), &request) {
            Some(preflight) => preflight,
            None => match serve(&mut incoming, path, payload).await {
                Ok(response) => response,
                Err(refusal) => {
                    incoming.slow_down(&refusal).await;
                    answer::refuse(&refusal)
                }
            },
        },
    };
    cors::mark(incoming.door.cors.as_ref(), &request, &mut response);
    answer::harden(&mut response);
    response
}

/// What holds for every path of the door, once its host may be asked for.
fn admit(incoming: &Incoming<'_>, path: Option<&Path>) -> Result<(), Refusal> {
    let Incoming { state, door, peer, request, .. } = incoming;
    if !state.rates.address_may(peer.address) {
        return Err(incoming.refuse(None, Reason::RateLimited, Refusal::Busy));
    }
    if !incoming.is_private() && !door.allow_plain {
        return Err(incoming.refuse(None, Reason::TlsRequired, Refusal::TlsRequired));
    }
    let is_control = path.is_some_and(control::is_route);
    cors::admit(door.cors.as_ref(), request, is_control).map_err(|origin| {
        let origin = origin.chars().take(200).collect::<String>().escape_debug().to_string();
        incoming.refuse(None, Reason::OriginRefused(origin), Refusal::Origin)
    })
}

async fn serve(
    incoming: &mut Incoming<'_>,
    path: Option<Path>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let request = incoming.request;
    let path = path.ok_or(Refusal::NotFound)?;
    let documents = incoming.door.documents.iter().find(|documents| documents.route == path.first);
    let is_control = documents.is_none() && control::is_route(&path);
    if documents.is_none() && !is_control {
        incoming.find(&path).await?;
    }
    let allowed = match (documents, is_control && path.first == control::RELOAD_PATH) {
        (Some(_), _) => "GET, HEAD",
        (None, true) => "GET, POST",
        (None, false) => ALLOW,
    };
    if !allowed.split(", ").any(|method| method == request.method().as_str()) {
        return Err(Refusal::Method(allowed));
    }
    if let Some(documents) = documents {
        return documents::serve(request, documents, &path).await;
    }
    let asked = Asked::read(incoming, payload).await?;
    // While the body came the rules may have changed, and the function: what holds now decides.
    incoming.renew()?;
    if is_control { control::serve(incoming, asked, &path).await } else { run(incoming, asked, path).await }
}

/// Runs a function for whoever may call it.
async fn run(incoming: &Incoming<'_>, mut asked: Asked, path: Path) -> Result<HttpResponse, Refusal> {
    let state = incoming.state;
    let name = path.first.parse::<FunctionName>().map_err(|_| Refusal::NotFound)?;
    let (permit, label, access) = {
        // One picture for the caller and the permit, let go before the call: it holds plugins that a reload waits for.
        let (catalogue, function) = incoming.find(&path).await?;
        let (caller, label) = access::caller(incoming, &mut asked, &function)?;
        let access = Access::begin(&*state.clock, &caller, || label.clone(), &name);
        if label.is_some() && !state.rates.caller_may(&caller.id) {
            access.end(ErrorCode::Busy.as_str());
            return Err(incoming.refuse(label, Reason::Busy, Refusal::Busy));
        }
        match permit(&caller, &catalogue, &function.name) {
            Ok(permit) => (permit, label, access),
            Err(denied) => {
                return Err(incoming.refuse_call(access, label, CallRefusal::Denied(denied), &name));
            }
        }
    };
    let caller = permit.caller().clone();
    let values = asked.take_values();
    let args = (!values.is_empty()).then_some(values.into());
    // Only plugins are written against requests; for others the picture would be made for nothing.
    let request = match permit.function().origin {
        Origin::Plugins => asked.into_request(incoming, path.rest),
        Origin::BuiltIn | Origin::Modules => WebRequest { subpath: path.rest, ..WebRequest::default() },
    };
    let answered = call_web(permit, args, request).await.map_err(CallRefusal::Call);
    if answered.is_ok() && caller.name.is_some() {
        state.note_success(&caller);
    }
    let sent = answered.and_then(|answered| {
        if answered.body.len() > incoming.settings.limits.answer {
            return Err(CallRefusal::AnswerTooLarge);
        }
        let unfit = |what| CallError::Failed(format!("its response cannot be sent: {what}"));
        answer::send(answered).map_err(unfit).map_err(CallRefusal::Call)
    });
    match sent {
        Ok(response) => {
            access.end("ok");
            Ok(response)
        }
        Err(refusal) => Err(incoming.refuse_call(access, label, refusal, &name)),
    }
}

impl Incoming<'_> {
    /// The function that the path names, with the catalogue it is of, if it has a route.
    async fn find(&self, path: &Path) -> Result<(Arc<Catalogue>, Arc<Function>), Refusal> {
        let name = path.first.parse::<FunctionName>().map_err(|_| Refusal::NotFound)?;
        let catalogue = self.state.runners.catalogue_for(&name).await;
        if let Some(function) = catalogue.find(&name).filter(|function| function.route.is_some()) {
            let function = function.clone();
            return Ok((catalogue, function));
        }
        if catalogue.may_come(&name) {
            let name = name.as_str().escape_debug().to_string();
            return Err(self.refuse(None, Reason::Denied(Denied::Loading, name), Refusal::Busy));
        }
        // What nobody has configured is no refusal: strangers ask for much.
        Err(match not_loaded(&catalogue, &name).filter(|_| catalogue.find(&name).is_none()) {
            Some(reason) => self.refuse(None, reason, Refusal::NotFound),
            None => Refusal::NotFound,
        })
    }

    /// Over plain HTTP a page whose name leads here gets nothing, not even the headers of CORS.
    fn admit_host(&self) -> Result<(), StatusCode> {
        if self.state.tls.is_some() {
            return Ok(());
        }
        hosts::admit(self.request, &self.settings.network).map_err(|(status, reason)| {
            let answer = if status == StatusCode::BAD_REQUEST { "400" } else { "421" };
            self.note(None, reason, answer);
            status
        })
    }

    /// Takes up the settings that are in force now.
    fn renew(&mut self) -> Result<(), Refusal> {
        self.settings = self.state.settings.load_full();
        self.door = self.settings.plugin.clone().ok_or(Refusal::NotFound)?;
        Ok(())
    }

    /// True when nobody on the way can read the request: TLS of ours or of a trusted proxy, or the machine itself,
    /// unless such a proxy says that it came to it in clear.
    fn is_private(&self) -> bool {
        self.is_secure() || self.peer.scheme.is_none() && self.state.bound.is_loopback()
    }

    fn is_secure(&self) -> bool {
        let through_proxy =
            self.peer.scheme.as_ref().is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        self.state.tls.is_some() || through_proxy
    }

    /// Who has tried many keys waits for the next refusal. The right key opens at once, whatever its address has done.
    async fn slow_down(&self, refusal: &Refusal) {
        if *refusal == Refusal::Unauthorized && self.state.guard.standing(self.peer.address) != Standing::Free
        {
            tokio::time::sleep(SLOW_DOWN).await;
        }
    }

    /// Keeps the true reason of a refusal.
    fn refuse(&self, client: Option<String>, reason: Reason, refusal: Refusal) -> Refusal {
        self.note(client, reason, refusal.label());
        refusal
    }

    /// Ends a call that brought nothing.
    fn refuse_call(
        &self,
        access: Access<'_>,
        label: Option<String>,
        refusal: CallRefusal,
        name: &FunctionName,
    ) -> Refusal {
        access.end(refusal.code().as_str());
        let answer = Refusal::of_call(&refusal);
        self.refuse(label, refusal.reason(name), answer)
    }

    fn note(&self, client: Option<String>, reason: Reason, answer: &'static str) {
        let (id, address) = (self.id, self.peer.address);
        self.state.refusals.note(refusals::Refusal { id, address, client, answer, reason });
    }
}
