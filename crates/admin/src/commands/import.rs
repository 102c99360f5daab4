//! `import`: the original's key files and register.

use std::path::PathBuf;

use clap::Args;
use msp_core::Imported;
use msp_registry::OriginalFiles;
use serde_json::json;

use crate::context::Context;
use crate::error::AdminError;
use crate::output::{self, Spinner};

/// Take in the original's client_N.pub files and register, as each start of the server does
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Import {
    /// The folder of the client_N.pub files (else Keypath of the clients in config.ini)
    #[arg(long, value_name = "FOLDER")]
    keys: Option<PathBuf>,

    /// The file of secrets (else Register in config.ini)
    #[arg(long, value_name = "FILE")]
    register: Option<PathBuf>,

    /// Take in again what was revoked, expired or purged
    #[arg(long)]
    revive: bool,
}

impl Import {
    /// Reads what the command line names.
    pub(crate) fn read_named(&self) {
        drop(OriginalFiles::read(self.keys.as_deref(), self.register.as_deref()));
    }

    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let clients = &context.settings.clients;
        let keys = self.keys.as_ref().unwrap_or(&clients.keypath);
        let register = self.register.as_ref().unwrap_or(&clients.register);
        let registry = context.registry_or_new().await?;
        let waiting = Spinner::on("importing");
        let OriginalFiles { clients, skipped } = OriginalFiles::read(Some(keys), Some(register));
        let Imported { keys_added, secrets_added } = registry.import(clients, self.revive).await?;
        drop(waiting);
        for (file, why) in &skipped {
            output::note(&format!("error: {} skipped: {why}", file.display()));
        }
        let skipped: Vec<_> = skipped.iter().map(|(file, why)| json!({ "file": file, "why": why })).collect();
        let result = json!({ "keys_added": keys_added, "secrets_added": secrets_added, "skipped": skipped });
        context.output.result(&result, || {
            format!("Imported {keys_added} keys and {secrets_added} secrets; skipped {}", skipped.len())
        })
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin import
  msp-admin import --keys /old/sec --register /old/sec/clients.dev
  msp-admin import --revive

The files stay where they are. What is known already, or was revoked, expired or purged, is left
alone.";
