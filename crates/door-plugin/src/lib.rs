//! The plugin door: functions as REST routes, the routes that manage plugins, and static documents.
//!
//! One way for all of it: the connection must be private, the page that asks must be allowed to, the path names a
//! route, the key opens it, and then it is run. A stranger learns the status and one word.

mod access;
mod answer;
mod control;
mod cors;
mod documents;
mod openapi;
mod reason;
mod request;
mod settings;

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Data, Payload, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use msp_core::clock::Clock;
use msp_core::{
    Audit, CallRefusal, Calls, Denied, Door, Failures, Function, Functions, Identity, Input, NotLoaded,
    Origin, Refused, Request, RequestId, RequestIds, Standing,
};
use msp_http::{ApiKeys, Budget, Listening, Path, Peer, UnderWay, admit_host, harden, plain};
use msp_protocol::FunctionName;
use msp_settings::{InForce, Settings};
use tracing::Instrument as _;

use self::answer::{Refusal, RestReplies};
use self::reason::Reason;
use self::request::ReadRequest;

pub use self::control::{NotReloaded, Reloads};
pub use self::documents::{ExposedDocuments, exposed};
pub use self::settings::{CorsSettings, DocumentsSettings, KEYS, PluginSettings};

/// What logs call this door.
const DOOR: Door = Door::named("plugin");

/// The methods of a route, for `Allow`.
const ALLOW: &str = "GET, HEAD, POST";

/// How long a refusal is held back from an address that has failed too often.
const SLOW_DOWN: Duration = Duration::from_secs(1);

/// Mounts the door: it answers everything that no other door does.
pub fn configure(config: &mut ServiceConfig) {
    config.default_service(web::to(receive));
}

/// The door, and what it needs of the server.
pub struct PluginDoor {
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// The settings that are in force and those of the door, of one moment; none while there are none of the door.
    pub settings: InForce<Option<(Arc<Settings>, Arc<PluginSettings>)>>,
    /// Where request ids come from.
    pub ids: Arc<RequestIds>,
    /// The pipeline.
    pub calls: Arc<Calls>,
    /// What may be called.
    pub functions: Arc<dyn Functions>,
    /// Who has failed how often.
    pub failures: Arc<dyn Failures>,
    /// For the audit.
    pub audit: Arc<dyn Audit>,
    /// The named keys.
    pub api_keys: Arc<ApiKeys>,
    /// What loads plugins anew.
    pub reloads: Arc<dyn Reloads>,
    /// How many answers may come piece by piece at once.
    pub budget: Budget,
    /// The listener that the door is behind.
    pub listening: Listening,
}

/// What is known of a request before it is read.
struct Incoming<'a> {
    door: &'a PluginDoor,
    settings: Arc<Settings>,
    rules: Arc<PluginSettings>,
    id: RequestId,
    peer: Peer,
    request: &'a HttpRequest,
    /// Until the answer takes it along.
    under_way: Option<UnderWay>,
}

async fn receive(request: HttpRequest, payload: Payload, door: Data<PluginDoor>) -> HttpResponse {
    let under_way = UnderWay::begin(&request);
    let Some((settings, rules)) = door.settings.now() else { return answer::refuse(&Refusal::NotFound) };
    let id = door.ids.next();
    let peer = Peer::of(&request, &settings.proxy);
    tracing::debug!(req = %id, address = %peer.address, method = %request.method(), path = request.path(), "request");
    let span = tracing::debug_span!("request", req = %id, door = DOOR.as_str());
    let incoming = Incoming { door: &door, settings, rules, id, peer, request: &request, under_way };
    answer(incoming, payload).instrument(span).await
}

async fn answer(mut incoming: Incoming<'_>, payload: Payload) -> HttpResponse {
    if let Err(status) = incoming.admit_host() {
        return plain(status);
    }
    let request = incoming.request;
    let path = Path::of(request.path());
    let mut response = match admit(&incoming, path.as_ref()) {
        Err(refusal) => answer::refuse(&refusal),
        Ok(()) => match cors::preflight(incoming.rules.cors.as_ref(), request) {
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
    cors::mark(incoming.rules.cors.as_ref(), request, &mut response);
    harden(&mut response);
    response
}

/// What holds for every path of the door, once its host may be asked for.
fn admit(incoming: &Incoming<'_>, path: Option<&Path>) -> Result<(), Refusal> {
    let Incoming { door, rules, peer, request, .. } = incoming;
    if !door.calls.rates.address_may(peer.address) {
        return Err(incoming.refuse(&Identity::Anybody, Reason::RateLimited, Refusal::Busy));
    }
    if !door.listening.is_private(peer) && !rules.allow_plain {
        return Err(incoming.refuse(&Identity::Anybody, Reason::TlsRequired, Refusal::TlsRequired));
    }
    let is_control = path.is_some_and(control::is_route);
    cors::admit(rules.cors.as_ref(), request, is_control).map_err(|origin| {
        let origin = origin.chars().take(200).collect::<String>().escape_debug().to_string();
        incoming.refuse(&Identity::Anybody, Reason::OriginRefused(origin), Refusal::Origin)
    })
}

async fn serve(
    incoming: &mut Incoming<'_>,
    path: Option<Path>,
    payload: Payload,
) -> Result<HttpResponse, Refusal> {
    let request = incoming.request;
    let path = path.ok_or(Refusal::NotFound)?;
    let documents = incoming.rules.documents.iter().find(|documents| documents.route == path.first);
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
    let asked = ReadRequest::read(incoming, payload).await?;
    // While the body came the rules may have changed, and the function: what holds now decides.
    incoming.renew()?;
    if is_control { control::serve(incoming, asked, &path).await } else { run(incoming, asked, path).await }
}

/// Runs a function for whoever may call it.
async fn run(
    incoming: &mut Incoming<'_>,
    mut asked: ReadRequest,
    path: Path,
) -> Result<HttpResponse, Refusal> {
    let (name, origin, caller, key) = {
        // Let go before the call: it holds plugins whose end a reload waits for.
        let function = incoming.find(&path).await?;
        let (caller, key) = access::caller(incoming, &mut asked, &function);
        (function.name.clone(), function.origin, caller, key)
    };
    let values = asked.take_values();
    let args = (!values.is_empty()).then_some(values.into());
    // Only plugins are written against requests; for others the picture would be made for nothing.
    let request = match origin {
        Origin::Plugins => asked.into_request(incoming, path.rest),
        Origin::BuiltIn | Origin::Control | Origin::Modules => {
            Request { subpath: path.rest, ..Request::default() }
        }
    };
    let (longest, identity) = (incoming.settings.limits.answer, &caller.identity);
    let replies = RestReplies { longest, function: &name, identity, key: &key };
    let input = Input { args, request: Some(request.into()) };
    match incoming.door.calls.call(&caller, &name, input, &replies).await {
        Ok(output) => answer::send(output, &incoming.door.budget, incoming.under_way.take())
            .map_err(|refusal| incoming.refuse(identity, Reason::NotSent, refusal)),
        Err(refusal) => {
            if refusal == CallRefusal::Denied(Denied::Forbidden) {
                incoming.note_unknown_key(&key.reason(identity, &name)).await;
            }
            Err(Refusal::of_call(&refusal))
        }
    }
}

impl Incoming<'_> {
    /// The function that the path names, if it has a route.
    async fn find(&self, path: &Path) -> Result<Arc<Function>, Refusal> {
        let name = path.first.parse::<FunctionName>().map_err(|_| Refusal::NotFound)?;
        let catalogue = self.door.functions.catalogue_for(&name).await;
        if let Some(function) = catalogue.find(&name) {
            return if function.route.is_some() { Ok(function.clone()) } else { Err(Refusal::NotFound) };
        }
        let refusal = match NotLoaded::of(&catalogue, &name) {
            _ if catalogue.may_come(&name) => CallRefusal::Denied(Denied::Loading),
            Some(why) => CallRefusal::NotLoaded(why),
            // What nobody has configured is no refusal: strangers ask for much.
            None => return Err(Refusal::NotFound),
        };
        let answer = Refusal::of_call(&refusal);
        self.note(&Identity::Anybody, &refusal.of(&name), answer.label());
        Err(answer)
    }

    /// Over plain HTTP a page whose name leads here gets nothing, not even the headers of CORS.
    fn admit_host(&self) -> Result<(), StatusCode> {
        if self.door.listening.has_tls {
            return Ok(());
        }
        admit_host(self.request, &self.settings.network).map_err(|refusal| {
            let (status, answer) = refusal.status();
            self.note(&Identity::Anybody, &refusal, answer);
            status
        })
    }

    /// Takes up the settings that are in force now: the call begins when its request is complete.
    fn renew(&mut self) -> Result<(), Refusal> {
        (self.settings, self.rules) = self.door.settings.now().ok_or(Refusal::NotFound)?;
        Ok(())
    }

    /// Who has tried many keys waits for the next refusal. The right key opens at once, whatever its address has done.
    async fn slow_down(&self, refusal: &Refusal) {
        if *refusal != Refusal::Unauthorized {
            return;
        }
        if self.door.failures.standing(self.peer.address).await != Standing::Free {
            tokio::time::sleep(SLOW_DOWN).await;
        }
    }

    /// Keeps the true reason of a refusal.
    fn refuse(&self, identity: &Identity, reason: Reason, refusal: Refusal) -> Refusal {
        self.note(identity, &reason, refusal.label());
        refusal
    }

    fn note(&self, identity: &Identity, reason: &dyn msp_core::Refusal, answer: &'static str) {
        let caller = identity.label().map(Into::into);
        let (request, address) = (self.id, self.peer.address);
        self.door.calls.refusals.note(Refused { request, address, caller, answer }, reason);
    }
}
