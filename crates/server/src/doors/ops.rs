//! The ops door: health, readiness and metrics, on a listener of its own.

use actix_web::guard::{Any, Get, Head};
use actix_web::http::{StatusCode, header};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use metrics_exporter_prometheus::PrometheusHandle;
use msp_core::Guard as _;

use super::bearer::bearer;
use crate::state::State;
use crate::{hosts, problem};

/// Mounts the door.
pub(crate) fn configure(config: &mut ServiceConfig) {
    // Probes ask with HEAD too; the HTTP library leaves the body of its answer out.
    let methods = || web::route().guard(Any(Get()).or(Head()));
    config
        .service(web::resource("/healthz").route(methods().to(health)))
        .service(web::resource("/readyz").route(methods().to(ready)))
        .service(web::resource("/metrics").route(methods().to(metrics)));
}

async fn health(request: HttpRequest, state: Data<State>) -> HttpResponse {
    match look(&request, &state) {
        Ok(_) => HttpResponse::Ok().body("ok\n"),
        Err(status) => problem::plain(status),
    }
}

async fn ready(request: HttpRequest, state: Data<State>) -> HttpResponse {
    if let Some(refused) = refusal(&request, &state) {
        return refused;
    }
    let reasons = state.not_ready();
    if reasons.is_empty() {
        let warned = state.runners.isolation().unconfined.map_or_else(String::new, |line| line + "\n");
        return HttpResponse::Ok().body(format!("ready\n{warned}"));
    }
    HttpResponse::ServiceUnavailable().body(reasons.join("\n") + "\n")
}

async fn metrics(request: HttpRequest, state: Data<State>, metrics: Data<PrometheusHandle>) -> HttpResponse {
    if let Some(refused) = refusal(&request, &state) {
        return refused;
    }
    let guard = state.guard.status();
    metrics::gauge!("msp_clients").set(state.directory.load().len() as f64);
    metrics::gauge!("msp_guard_entries").set(guard.entries as f64);
    metrics::gauge!("msp_guard_max_entries").set(guard.max_entries as f64);
    metrics::gauge!("msp_ready").set(if state.not_ready().is_empty() { 1.0 } else { 0.0 });
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics.render())
}

/// What anybody may do who asks for a host of ours, or shows the token; whether it was shown, or none is asked for.
fn look(request: &HttpRequest, state: &State) -> Result<bool, StatusCode> {
    let settings = state.settings.load();
    let given = request.headers().get(header::AUTHORIZATION).and_then(|value| bearer(value.as_bytes()));
    let token = settings.ops.token.as_ref();
    if given.zip(token).is_some_and(|(given, token)| token.is(given)) {
        return Ok(true);
    }
    hosts::admit(request, &settings.network).map_err(|(status, _)| status)?;
    Ok(token.is_none())
}

/// With a token file, only its bearer may look; the start refuses a listener for others without one.
fn refusal(request: &HttpRequest, state: &State) -> Option<HttpResponse> {
    match look(request, state) {
        Ok(true) => None,
        Ok(false) => {
            Some(HttpResponse::Unauthorized().insert_header((header::WWW_AUTHENTICATE, "Bearer")).finish())
        }
        Err(status) => Some(problem::plain(status)),
    }
}
