//! Which plugins of a file are accepted: as which function, and for whom.

use msp_core::{PluginsSpec, Route};
use msp_protocol::{Digest, FunctionName};
use serde_json::{Map, Value};

use super::file::{PluginFile, parameter};
use super::host::PluginReport;

/// That a plugin is refused, for the log.
pub(super) fn refusal(plugin: &PluginReport, why: &str) -> String {
    format!("plugin {:?} (class {}) is refused: {why}", plugin.id, plugin.class)
}

/// The name and the route of a plugin.
///
/// # Errors
/// Why it is refused.
pub(super) fn accept(
    plugin: &PluginReport,
    file: &PluginFile,
    spec: &PluginsSpec,
) -> Result<(FunctionName, Route), String> {
    let name: FunctionName =
        plugin.id.parse().map_err(|_| "an id has 1 to 128 bytes and no control character".to_owned())?;
    if plugin.id.contains(['/', '*', '\\']) || matches!(plugin.id.as_str(), "." | "..") {
        return Err("an id holds no '/', '\\' and '*', and is not made of dots".to_owned());
    }
    if spec.reserved.contains(&plugin.id) {
        return Err(format!("the path /{} is taken", plugin.id));
    }
    Ok((name, route(plugin, &file.parameters, spec)?))
}

/// Who may call it. What the operator has written counts before what the plugin says of itself.
///
/// # Errors
/// Why it is refused.
pub(super) fn route(
    plugin: &PluginReport,
    parameters: &Map<String, Value>,
    spec: &PluginsSpec,
) -> Result<Route, String> {
    let kind = parameter(parameters, &["auth_type", "auth"]).or_else(|| plugin.auth_type.clone());
    let key = parameter(parameters, &["apikey"]).filter(|key| !key.is_empty());
    let own = key.map(|key| Digest::of(key.as_bytes()));
    match kind.map(|kind| kind.to_lowercase()).as_deref() {
        None if own.is_some() => Err("it has an apikey, but no auth_type=plugin".to_owned()),
        None => Ok(Route::Open),
        Some("global") if spec.has_key => Ok(Route::Key),
        Some("global") => Err("auth_type=global, but there is no [auth] apikey".to_owned()),
        Some("plugin") => {
            let key = own.or(plugin.own_key);
            key.map(Route::Own)
                .ok_or_else(|| "auth_type=plugin, but its parameters have no apikey".to_owned())
        }
        Some("named") => Ok(Route::Named),
        Some(other) => Err(format!("auth_type is global, plugin or named, and not {other:?}")),
    }
}
