//! The routes that manage plugins: `/plugins`, `/reload/<name>`, `/reload/all`, and `/openapi.json`.

use actix_web::HttpResponse;
use actix_web::http::header::ORIGIN;
use msp_core::{Access, AuditEvent, BoxFuture, Identity, Origin};
use msp_http::Path;
use msp_protocol::FunctionName;
use msp_runners::{Reload, ReloadError};
use serde_json::json;

use crate::answer::Refusal;
use crate::reason::Reason;
use crate::request::ReadRequest;
use crate::{Incoming, PluginDoor, access, openapi};

/// Loads plugins anew.
pub trait Reloads: Send + Sync {
    /// Reads configuration and modules again and loads plugins anew; done when nothing old answers any more. Gives the
    /// files that did not load.
    ///
    /// # Errors
    /// [`NotReloaded`]; then the plugins are as they were.
    fn reload_plugins<'a>(
        &'a self,
        why: &'a str,
        what: Reload,
    ) -> BoxFuture<'a, Result<Vec<String>, NotReloaded>>;
}

/// Why plugins were not loaded anew.
#[derive(Debug)]
pub enum NotReloaded {
    /// The configuration is faulty, for this reason.
    Settings(String),
    /// The plugins are.
    Plugins(ReloadError),
}

/// What a grant names to let its key list plugins, or load them anew.
const LIST: &str = "plugin/list";
const RELOAD: &str = "plugin/reload";

/// The first part of the paths that change something, which HEAD must not.
pub(crate) const RELOAD_PATH: &str = "reload";

/// True for the paths that are served here.
pub(crate) fn is_route(path: &Path) -> bool {
    match path.first.as_str() {
        "plugins" | "openapi.json" => path.rest.is_none(),
        RELOAD_PATH => path.rest.is_some(),
        _ => false,
    }
}

pub(crate) async fn serve(
    incoming: &Incoming<'_>,
    asked: ReadRequest,
    path: &Path,
) -> Result<HttpResponse, Refusal> {
    if comes_from_a_page(incoming) {
        return Err(incoming.refuse(&Identity::Anybody, Reason::ControlFromPage, Refusal::Unauthorized));
    }
    let door = incoming.door;
    match (path.first.as_str(), &path.rest) {
        (RELOAD_PATH, Some(name)) => {
            let manager = access::manager(incoming, &asked, RELOAD, Access::Write).await?;
            reload(door, name, manager).await
        }
        (first, _) => {
            access::manager(incoming, &asked, LIST, Access::Read).await?;
            Ok(match first {
                "openapi.json" => HttpResponse::Ok()
                    .json(openapi::document(&door.functions.catalogue(), incoming.peer.path_prefix())),
                _ => HttpResponse::Ok().json(json!({ "loaded_plugins": loaded(door) })),
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
fn loaded(door: &PluginDoor) -> Vec<String> {
    let catalogue = door.functions.catalogue();
    let plugins = catalogue.iter().filter(|function| function.origin == Origin::Plugins);
    plugins.map(|function| function.name.to_string()).collect()
}

async fn reload(door: &PluginDoor, name: &str, manager: Option<String>) -> Result<HttpResponse, Refusal> {
    let unknown = || Refusal::PluginUnknown(name.to_owned());
    let what = match name {
        "all" => Reload::All,
        _ => Reload::One(name.parse::<FunctionName>().map_err(|_| unknown())?),
    };
    // First: who asked goes on record, whether or not it waits for the end. Strangers have no name, and fill no audit.
    if let Some(manager) = manager {
        tracing::info!(by = manager, "plugins are to be loaded anew: {}", name.escape_debug());
        let event = AuditEvent {
            actor: format!("apikey:{manager}"),
            action: "plugin.reload",
            subject: name.to_owned(),
            detail: String::new(),
        };
        if let Err(error) = door.audit.record(event).await {
            tracing::warn!("the reload of plugins is not in the audit: {error}");
        }
    }
    let failed = door.reloads.reload_plugins("plugins are loaded anew", what).await;
    let failed = failed.map_err(|error| match error {
        NotReloaded::Settings(why) => Refusal::SettingsFaulty(why),
        NotReloaded::Plugins(ReloadError::NotFound) => unknown(),
        NotReloaded::Plugins(ReloadError::Failed) => Refusal::ReloadFailed(name.to_owned(), None),
    })?;
    if name != "all" {
        return Ok(HttpResponse::Ok().json(json!({ "reloaded": name, "success": true })));
    }
    if !failed.is_empty() {
        return Err(Refusal::ReloadFailed(failed.join(", "), Some((failed, loaded(door)))));
    }
    Ok(HttpResponse::Ok().json(json!({ "status": "All plugins reloaded", "loaded_plugins": loaded(door) })))
}
