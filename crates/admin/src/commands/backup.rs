//! `backup`: a copy of the registry.

use std::path::PathBuf;

use clap::Args;
use msp_core::control::Request;
use serde_json::json;

use crate::context::Context;
use crate::error::AdminError;
use crate::output::Waiting;

/// Write a copy of the registry to a new file, while the server runs or not
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Backup {
    /// The file, which must not exist; it is made 0600
    file: PathBuf,
}

impl Backup {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let to = std::path::absolute(&self.file)
            .map_err(|cause| AdminError::io("find the current folder", cause))?;
        let waiting = Waiting::on("writing the backup");
        if context.server().try_ask(&Request::Backup { to: to.clone() })?.is_none() {
            context.registry().await?.backup(&to).await?;
        }
        drop(waiting);
        context.output.result(&json!({ "file": to }), || format!("Written: {}", to.display()))
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin backup /safe/msp-$(date +%F).backup

It holds clients, api keys, grants and the audit, but neither the server's key nor any secret or key
itself, only digests: keep server.key apart. While a server runs, the file is written by the server's user.";
