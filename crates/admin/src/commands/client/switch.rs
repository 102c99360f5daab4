//! `client disable` and `client enable`.

use clap::Args;
use msp_protocol::ClientName;
use serde_json::json;

use crate::context::Context;
use crate::error::AdminError;

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Switch {
    /// Its name
    name: ClientName,
}

impl Switch {
    pub(crate) async fn run(&self, context: &Context, disabled: bool) -> Result<(), AdminError> {
        let registry = context.registry().await?;
        registry
            .set_disabled(&self.name, disabled, &context.actor())
            .await
            .map_err(AdminError::of_client(&self.name))?;
        let state = if disabled { "disabled" } else { "enabled" };
        context
            .output
            .result(&json!({ "name": self.name, "disabled": disabled }), || format!("{}: {state}", self.name))
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin client disable laptop
  msp-admin client enable laptop";
