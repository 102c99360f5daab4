//! `msp-client profile`: what this client knows of servers.

use std::path::Path;

use serde::Serialize;

use crate::cli::ProfileCommand;
use crate::error::CliError;
use crate::join::confirmed;
use crate::output;
use crate::profile::Profiles;

/// A profile as it is shown; no secret.
#[derive(Debug, Serialize)]
struct Row<'a> {
    name: &'a str,
    default: bool,
    url: &'a str,
    server: String,
    client: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cafile: Option<&'a Path>,
}

/// Lists, chooses or removes profiles in this file.
pub(crate) fn run(command: &ProfileCommand, path: Option<&Path>) -> Result<(), CliError> {
    let path = path.ok_or(CliError::NoProfileFolder)?;
    let mut profiles = Profiles::read(path)?;
    match command {
        ProfileCommand::List { json } => list(&profiles, *json),
        ProfileCommand::Use { name } => {
            profiles.named(name, path)?;
            profiles.default = Some(name.clone());
            profiles.write(path)?;
            output::print(&format!("Default: {name}"))
        }
        ProfileCommand::Remove { name, yes } => {
            let url = profiles.named(name, path)?.url.escape_debug().to_string();
            if !yes && !confirmed(&format!("Delete profile {name} ({url}) with its key and secret?"))? {
                return Err(CliError::Declined);
            }
            profiles.profiles.remove(name);
            if profiles.default.as_ref() == Some(name) {
                // Whoever has one left means that one.
                let mut left = profiles.profiles.keys();
                profiles.default = left.next().filter(|_| left.next().is_none()).cloned();
            }
            profiles.write(path)?;
            output::print(&format!("Removed: {name}"))
        }
    }
}

fn list(profiles: &Profiles, json: bool) -> Result<(), CliError> {
    let rows = profiles.profiles.iter().map(|(name, profile)| Row {
        name: name.as_str(),
        default: profiles.default.as_ref() == Some(name),
        url: &profile.url,
        server: profile.server.fingerprint(),
        client: profile.key.public().fingerprint(),
        cafile: profile.cafile.as_deref(),
    });
    let rows: Vec<_> = rows.collect();
    if json {
        return output::print_json(&rows);
    }
    if rows.is_empty() {
        output::note("no profiles yet; make one with `msp-client join`");
        return Ok(());
    }
    let cells = rows.iter().map(|row| {
        let default = if row.default { "yes" } else { "" };
        [row.name.to_owned(), default.to_owned(), row.url.to_owned(), row.server.clone(), row.client.clone()]
    });
    output::print_table(["PROFILE", "DEFAULT", "URL", "SERVER KEY", "CLIENT KEY"], cells)
}
