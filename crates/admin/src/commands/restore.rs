//! `restore`: the registry as it was in a backup.

use std::path::PathBuf;

use clap::Args;
use msp_core::control::Request;
use serde_json::json;

use crate::context::{self, Context};
use crate::error::AdminError;
use crate::output::Waiting;
use crate::prompt;

/// Replace the registry's content by a backup's, while the server runs or not
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Restore {
    /// The file that backup wrote
    file: PathBuf,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Restore {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let from = std::path::absolute(&self.file)
            .map_err(|cause| AdminError::io("find the current folder", cause))?;
        let question = format!("Replace all clients, api keys and grants by those of {}?", from.display());
        if !self.yes && !prompt::confirm(context.output, &question)? {
            return Ok(());
        }
        let waiting = Waiting::on("restoring");
        let request = Request::Restore { from: from.clone(), actor: context::actor() };
        if context.server().try_ask(&request)?.is_none() {
            let registry = context.registry_or_new().await?;
            // No server may start in between.
            let _lock = registry.lock_for_server()?;
            registry.restore(&from, context.settings.clients.request_ttl, &context::actor()).await?;
        }
        drop(waiting);
        context.output.result(&json!({ "restored": from }), || format!("Restored: {}", from.display()))
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin restore /safe/msp-2027-01-31.backup
  msp-admin restore /safe/msp-2027-01-31.backup --yes

What was revoked or purged since the backup stays so. Requests are refused for about RequestTTL
afterwards, since what was accepted after the backup must not be accepted again.";
