//! `apikey revoke`: an api key that must not work any more.

use clap::Args;
use msp_protocol::ClientName;
use serde_json::json;

use crate::context::Context;
use crate::error::AdminError;
use crate::prompt;

/// Remove an api key for good; no restore brings it back
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Revoke {
    /// Its name
    name: ClientName,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

impl Revoke {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let registry = context.registry().await?;
        let question = format!("Revoke the api key {} for good?", self.name);
        if !self.yes && !prompt::confirm(context.output, &question)? {
            return Ok(());
        }
        registry
            .revoke_api_key(&self.name, &context.actor())
            .await
            .map_err(AdminError::of_api_key(&self.name))?;
        context
            .output
            .result(&json!({ "revoked": self.name }), || format!("Revoked the api key {}", self.name))
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin apikey revoke monitoring
  msp-admin apikey revoke monitoring --yes

The name is free again; a key added under it is another one.";
