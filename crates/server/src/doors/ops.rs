//! The ops door: health, readiness and metrics, on a listener of its own.

use std::sync::Arc;

use actix_web::guard::{Any, Get, Head};
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use metrics_exporter_prometheus::PrometheusHandle;
use msp_door_sealed::Clients;
use msp_http::{admit_host, bearer, plain};
use msp_settings::{InForce, Settings};

use crate::readiness::Readiness;

/// The door, and what it shows.
pub(crate) struct Ops {
    pub(crate) settings: InForce<Arc<Settings>>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) clients: Arc<Clients>,
    pub(crate) metrics: PrometheusHandle,
}

/// Mounts the door.
pub(crate) fn configure(config: &mut ServiceConfig) {
    // Probes ask with HEAD too; the HTTP library leaves the body of its answer out.
    let methods = || web::route().guard(Any(Get()).or(Head()));
    config
        .service(web::resource("/healthz").route(methods().to(health)))
        .service(web::resource("/readyz").route(methods().to(ready)))
        .service(web::resource("/metrics").route(methods().to(metrics)));
}

async fn health(request: HttpRequest, ops: Data<Ops>) -> HttpResponse {
    match look(&request, &ops) {
        Ok(_) => HttpResponse::Ok().body("ok\n"),
        Err(status) => plain(status),
    }
}

async fn ready(request: HttpRequest, ops: Data<Ops>) -> HttpResponse {
    if let Some(refused) = refusal(&request, &ops) {
        return refused;
    }
    let reasons = ops.readiness.reasons();
    if reasons.is_empty() {
        let warned =
            ops.readiness.runners.isolation().unconfined.map_or_else(String::new, |line| line + "\n");
        return HttpResponse::Ok().body(format!("ready\n{warned}"));
    }
    HttpResponse::ServiceUnavailable().body(reasons.join("\n") + "\n")
}

async fn metrics(request: HttpRequest, ops: Data<Ops>) -> HttpResponse {
    if let Some(refused) = refusal(&request, &ops) {
        return refused;
    }
    let guard = ops.readiness.replay.status();
    metrics::gauge!("msp_clients").set(ops.clients.count() as f64);
    metrics::gauge!("msp_guard_entries").set(guard.entries as f64);
    metrics::gauge!("msp_guard_max_entries").set(guard.max_entries as f64);
    metrics::gauge!("msp_ready").set(if ops.readiness.reasons().is_empty() { 1.0 } else { 0.0 });
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(ops.metrics.render())
}

/// What anybody may do who asks for a host of ours, or shows the token; whether it was shown, or none is asked for.
fn look(request: &HttpRequest, ops: &Ops) -> Result<bool, StatusCode> {
    let settings = ops.settings.now();
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    let token = settings.ops.token.as_ref();
    if given.zip(token).is_some_and(|(given, token)| token.is(given)) {
        return Ok(true);
    }
    admit_host(request, &settings.network).map_err(|refusal| refusal.status().0)?;
    Ok(token.is_none())
}

/// With a token file, only its bearer may look; the start refuses a listener for others without one.
fn refusal(request: &HttpRequest, ops: &Ops) -> Option<HttpResponse> {
    match look(request, ops) {
        Ok(true) => None,
        Ok(false) => {
            Some(HttpResponse::Unauthorized().insert_header((header::WWW_AUTHENTICATE, "Bearer")).finish())
        }
        Err(status) => Some(plain(status)),
    }
}
