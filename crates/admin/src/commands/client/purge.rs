//! `purgeclients` and `client purge`: deletes all clients.

use std::path::{Path, PathBuf};

use clap::Args;
use msp_core::{Link, Snapshot};
use serde::Serialize;

use crate::context::Context;
use crate::error::AdminError;
use crate::output;
use crate::prompt;
use crate::times;

#[derive(Debug, Args)]
pub(crate) struct Purge {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,

    /// Only say what would be deleted
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

/// What is, or would be, deleted.
#[derive(Debug, Serialize)]
struct Report {
    /// The original's files, where they are now.
    files: Vec<PathBuf>,
    /// Where they are moved.
    moved_to: Option<PathBuf>,
    /// Names of linked clients, fingerprints of unlinked ones.
    clients: Vec<String>,
    secrets: usize,
}

impl Purge {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let question = "Delete all clients and their secrets?";
        if !self.yes && !self.dry_run && !prompt::confirm(context.output, question)? {
            return Ok(());
        }
        let registry = context.registry_if_any().await?;
        let snapshot = match &registry {
            Some(registry) => registry.snapshot().await?,
            None => Snapshot::default(),
        };
        let files = original_files(&context.settings.clients.keypath, &context.settings.clients.register)?;
        let folder =
            context.settings.clients.keypath.join(format!("purged-{}", times::file_stamp(&*context.clock)));
        let report = Report {
            moved_to: (!files.is_empty()).then_some(folder),
            files,
            clients: snapshot
                .clients
                .iter()
                .map(|client| match &client.link {
                    Link::Linked(linked) => linked.name.to_string(),
                    Link::Unlinked => client.key.fingerprint(),
                })
                .collect(),
            secrets: snapshot.secrets.len(),
        };
        if !self.dry_run {
            // The files first: should this end halfway, nothing is imported again.
            if let Some(folder) = &report.moved_to {
                msp_keyfile::set_aside(&report.files, folder)?;
            }
            if let Some(registry) = &registry {
                registry.purge(&context.actor()).await?;
            }
        }
        context.output.result(&report, || report.text(self.dry_run))?;
        if !snapshot.api_keys.is_empty() {
            output::note(&format!(
                "{} api keys stay; msp-admin apikey list shows them",
                snapshot.api_keys.len()
            ));
        }
        Ok(())
    }
}

impl Report {
    fn text(&self, dry_run: bool) -> String {
        let verb = if dry_run { "Would delete" } else { "Deleting" };
        let files = self.files.iter().map(|file| output::printable(&format!("{verb} {}", file.display())));
        let clients = self.clients.iter().map(|client| format!("{verb} client {client}"));
        let secrets = (self.secrets > 0).then(|| format!("{verb} {} unlinked secrets", self.secrets));
        let mut lines: Vec<_> = files.chain(clients).chain(secrets).collect();
        if lines.is_empty() {
            lines.push("There are no clients".to_owned());
        }
        if let Some(folder) = self.moved_to.as_ref().filter(|_| !dry_run) {
            lines.push(format!("The files are kept in {}", folder.display()));
        }
        if !dry_run {
            lines.push(BANNER.to_owned());
        }
        lines.join("\n")
    }
}

/// The original's `client_*` files and its register, as far as there is something in them.
fn original_files(keys: &Path, register: &Path) -> Result<Vec<PathBuf>, AdminError> {
    let mut files = Vec::new();
    for name in msp_keyfile::names_in(keys)? {
        let file = keys.join(&name);
        if name.as_encoded_bytes().starts_with(b"client_") && msp_keyfile::size_of(&file)?.is_some() {
            files.push(file);
        }
    }
    if msp_keyfile::size_of(register)?.is_some_and(|size| size > 0) {
        files.push(register.to_owned());
    }
    Ok(files)
}

const BANNER: &str = "\
#############################################################
# All clients are deleted. Please restart the server now:   #
# allowed, but not needed. It takes this up by itself.      #
#############################################################";

pub(crate) const EXAMPLES: &str = "\
Examples:
  purgeclients              asks first
  purgeclients --dry-run    says what would be deleted
  purgeclients --yes        for scripts

Each deleted client must be added anew. The original's files are moved to purged-<time> in
[Clients] Keypath. Api keys stay.";
