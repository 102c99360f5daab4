//! `client revoke`: a client, a key or a secret that must not work any more.

use std::path::{Path, PathBuf};

use clap::Args;
use msp_core::{Revoked, Selector};
use msp_protocol::{ClientName, Secret};
use serde::Serialize;

use crate::context::Context;
use crate::error::AdminError;
use crate::prompt;

/// Remove a client for good; no import, restart or restore brings it back
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Revoke {
    #[command(flatten)]
    what: Selection,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Selection {
    /// The name of a linked client
    name: Option<ClientName>,

    /// The public key of an unlinked client
    #[arg(long)]
    key: Option<String>,

    /// The file that holds the secret of an unlinked client (- reads it from standard input)
    #[arg(long, alias = "secret", value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct Report<'a> {
    revoked: &'a str,
    name: Option<&'a ClientName>,
    other_half_needed: bool,
}

impl Revoke {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let selector = self.selector()?;
        let registry = context.registry().await?;
        let revoked =
            registry.revoke(&selector, &context.actor()).await.map_err(|error| match &self.what.name {
                Some(name) => AdminError::of_client(name)(error),
                None => error.into(),
            })?;
        let (what, name) = match &revoked {
            Revoked::Linked(name) => ("client", Some(name)),
            Revoked::UnlinkedKey => ("key", None),
            Revoked::UnlinkedSecret => ("secret", None),
        };
        let report = Report { revoked: what, name, other_half_needed: name.is_none() };
        context.output.result(&report, || text(&revoked))
    }

    /// Reads the file of the secret.
    pub(crate) fn read_named(&self) -> Result<(), AdminError> {
        match &self.what.secret_file {
            Some(file) if file != Path::new("-") => read_secret(file).map(drop),
            _ => Ok(()),
        }
    }

    fn selector(&self) -> Result<Selector, AdminError> {
        let Selection { name, key, secret_file } = &self.what;
        match (name, key, secret_file) {
            (Some(name), ..) => Ok(Selector::Name(name.clone())),
            (_, Some(key), _) => Ok(Selector::Key(key.trim().parse().map_err(AdminError::ClientKey)?)),
            (.., Some(file)) => Ok(Selector::Secret(read_secret(file)?.digest())),
            (None, None, None) => Err(AdminError::Usage("give NAME, --key or --secret-file".to_owned())),
        }
    }
}

fn read_secret(file: &Path) -> Result<Secret, AdminError> {
    if file == Path::new("-") {
        return prompt::secret();
    }
    // Not repeated in a message about a missing file.
    if file.to_str().is_some_and(|text| Secret::parse(text).is_ok()) {
        return Err(AdminError::Usage(
            "that is a secret, and now in the shell's history: give the file that holds it, or -".to_owned(),
        ));
    }
    Ok(msp_keyfile::read_secret(file)?)
}

fn text(revoked: &Revoked) -> String {
    match revoked {
        Revoked::Linked(name) => format!("Revoked {name}: its key and its secret do not work any more"),
        Revoked::UnlinkedKey => {
            "Revoked the key. Its secret, which cannot be found from the key, still works with \
             other unlinked keys: to remove a leaked client, revoke its secret too (--secret-file FILE)"
                .to_owned()
        }
        Revoked::UnlinkedSecret => {
            "Revoked the secret. The key it was given to still works with other unlinked \
             secrets: to remove a leaked client, revoke its key too (--key KEY)"
                .to_owned()
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin client revoke laptop
  msp-admin client revoke --key iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=
  msp-admin client revoke --secret-file client.secret
  msp-admin client revoke --secret-file - < client.secret

To remove a leaked unlinked client its key and its secret are both needed.";
