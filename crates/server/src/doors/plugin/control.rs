//! The routes that manage plugins: `/plugins`, `/reload/<name>`, `/reload/all`, and `/openapi.json`.

use actix_web::HttpResponse;
use actix_web::http::header::ORIGIN;
use msp_core::{Access, AuditEvent, Origin, Reason, Registry as _};
use msp_protocol::FunctionName;
use msp_runners::{Reload, ReloadError};
use serde_json::json;

use super::access::Manager;
use super::answer::Refusal;
use super::path::Path;
use super::request::Asked;
use super::{Incoming, access, openapi};
use crate::background::{self, NotReloaded};
use crate::state::State;

/// What a grant names to let its key list plugins, or load them anew.
const LIST: &str = "plugin/list";
const RELOAD: &str = "plugin/reload";

/// The first part of the paths that change something, which HEAD must not.
pub(super) const RELOAD_PATH: &str = "reload";

/// True for the paths that are served here.
pub(super) fn is_route(path: &Path) -> bool {
    match path.first.as_str() {
        "plugins" | "openapi.json" => path.rest.is_none(),
        RELOAD_PATH => path.rest.is_some(),
        _ => false,
    }
}

pub(super) async fn serve(
    incoming: &Incoming<'_>,
    asked: Asked,
    path: &Path,
) -> Result<HttpResponse, Refusal> {
    if comes_from_a_page(incoming) {
        return Err(incoming.refuse(None, Reason::ControlFromPage, Refusal::Unauthorized));
    }
    let state = incoming.state;
    match (path.first.as_str(), &path.rest) {
        (RELOAD_PATH, Some(name)) => {
            let manager = access::manager(incoming, &asked, RELOAD, Access::Write)?;
            reload(state, name, &manager).await
        }
        (first, _) => {
            access::manager(incoming, &asked, LIST, Access::Read)?;
            Ok(match first {
                "openapi.json" => {
                    HttpResponse::Ok().json(openapi::document(&state.runners.catalogue(), incoming.prefix()))
                }
                _ => HttpResponse::Ok().json(json!({ "loaded_plugins": loaded(state) })),
            })
        }
    }
}

/// A page of any origin can make its reader's browser ask; what changes something must not come from one.
fn comes_from_a_page(incoming: &Incoming<'_>) -> bool {
    let headers = incoming.request.headers();
    let elsewhere =
        |site: &actix_web::http::header::HeaderValue| !matches!(site.as_bytes(), b"none" | b"same-origin");
    headers.contains_key(ORIGIN) || headers.get_all("sec-fetch-site").any(elsewhere)
}

/// The ids of all plugins, sorted.
fn loaded(state: &State) -> Vec<String> {
    let catalogue = state.runners.catalogue();
    let plugins = catalogue.iter().filter(|function| function.origin == Origin::Plugins);
    plugins.map(|function| function.name.to_string()).collect()
}

async fn reload(state: &State, name: &str, manager: &Manager) -> Result<HttpResponse, Refusal> {
    let unknown = || Refusal::PluginUnknown(name.to_owned());
    let what = match name {
        "all" => Reload::All,
        _ => Reload::One(name.parse::<FunctionName>().map_err(|_| unknown())?),
    };
    // First: who asked goes on record, whether or not it waits for the end. Strangers have no name, and fill no audit.
    if let Manager::Key(manager) = manager {
        tracing::info!(by = manager, "plugins are to be loaded anew: {}", name.escape_debug());
        let event = AuditEvent {
            actor: format!("apikey:{manager}"),
            action: "plugin.reload",
            subject: name.to_owned(),
            detail: String::new(),
        };
        if let Err(error) = state.registry.record(event).await {
            tracing::warn!("the reload of plugins is not in the audit: {error}");
        }
    }
    let failed = background::reload_plugins(state, "plugins are loaded anew", what).await;
    let failed = failed.map_err(|error| match error {
        NotReloaded::Settings(why) => Refusal::SettingsFaulty(why),
        NotReloaded::Plugins(ReloadError::NotFound) => unknown(),
        NotReloaded::Plugins(ReloadError::Failed) => Refusal::ReloadFailed(name.to_owned(), None),
    })?;
    if name != "all" {
        return Ok(HttpResponse::Ok().json(json!({ "reloaded": name, "success": true })));
    }
    if !failed.is_empty() {
        return Err(Refusal::ReloadFailed(failed.join(", "), Some((failed, loaded(state)))));
    }
    Ok(HttpResponse::Ok().json(json!({ "status": "All plugins reloaded", "loaded_plugins": loaded(state) })))
}
