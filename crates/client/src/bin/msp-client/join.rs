//! `msp-client join`: unpacks an enrolment line into a profile.

use std::io::{self, Write as _};
use std::path::Path;

use msp_client::Address;
use msp_protocol::enrolment::Enrolment;
use msp_protocol::{ClientName, PrivateKey};

use crate::cli::{Common, Join};
use crate::error::CliError;
use crate::keys::CLIENT_KEY;
use crate::output;
use crate::profile::{self, Profile, Profiles};

/// Shows what the line holds, asks, and writes the profile.
pub(crate) fn run(join: &Join, common: &Common, path: Option<&Path>) -> Result<(), CliError> {
    let path = path.ok_or(CliError::NoProfileFolder)?;
    let mut profiles = Profiles::read(path)?;
    let name = match (&common.profile, &profiles.default) {
        (Some(named), _) => profile::name(named)?,
        (None, Some(default)) => default.clone(),
        (None, None) => profile::name("default")?,
    };
    let old = profiles.profiles.get(&name);
    let line = if join.line == "-" { read_line()? } else { join.line.clone() };
    if !Enrolment::is_line(&line) {
        return Err(CliError::usage(
            "join: this is no enrolment line; it begins with msp1: and is what `appendclient KEY --name NAME --url URL` \
             prints to the operator",
        ));
    }
    let (key, key_name) = private_key(join, &name, old)?;
    let enrolment =
        Enrolment::open(line.trim(), &key).map_err(|cause| CliError::Enrolment { key: key_name, cause })?;
    let address: Address = enrolment.url.parse().map_err(msp_client::ClientError::from)?;
    show(&enrolment, &address, &name, old);
    if let Some(old) = old.filter(|old| old.server != enrolment.server && !join.force) {
        return Err(CliError::Pinned { profile: name.to_string(), pinned: old.server.fingerprint() });
    }
    if !join.yes && !confirmed("Join?")? {
        return Err(CliError::Declined);
    }
    let cafile = match &common.cafile {
        Some(cafile) => Some(
            std::path::absolute(cafile)
                .map_err(|cause| CliError::Io { action: "find the --cafile", cause })?,
        ),
        None => old.and_then(|old| old.cafile.clone()),
    };
    let new = Profile {
        url: address.to_string(),
        server: enrolment.server,
        key,
        secret: enrolment.secret.clone(),
        cafile,
    };
    profiles.profiles.insert(name.clone(), new);
    profiles.default.get_or_insert_with(|| name.clone());
    profiles.write(path)?;
    output::print(&format!("Joined: {name}"))
}

/// The key the line was sealed to, and how to call it in a message.
fn private_key(
    join: &Join,
    name: &ClientName,
    old: Option<&Profile>,
) -> Result<(PrivateKey, String), CliError> {
    let file = join.key.as_deref().unwrap_or(Path::new(CLIENT_KEY));
    if let Some(old) = old.filter(|_| join.key.is_none() && !file.exists()) {
        return Ok((old.key.clone(), format!("the key of profile {name}")));
    }
    Ok((msp_keyfile::read_private_key(file)?, file.display().to_string()))
}

fn show(enrolment: &Enrolment, address: &Address, name: &ClientName, old: Option<&Profile>) {
    output::note(&format!("Server:     {address}"));
    output::note(&format!("Server key: {} (compare it with the operator's)", enrolment.server.fingerprint()));
    if let Some(client) = &enrolment.name {
        output::note(&format!("Client:     {client}"));
    }
    let replaces = old.map_or_else(String::new, |old| format!(" (replaces {})", old.url.escape_debug()));
    output::note(&format!("Profile:    {name}{replaces}"));
}

/// Asks; nobody to ask is an answer too: no.
pub(crate) fn confirmed(question: &str) -> Result<bool, CliError> {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{question} (y|n) ").and_then(|()| stderr.flush());
    drop(stderr);
    Ok(matches!(read_line()?.trim(), "y" | "Y" | "yes"))
}

fn read_line() -> Result<String, CliError> {
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .map_err(|cause| CliError::Io { action: "read standard input", cause })?;
    Ok(line)
}
