//! `client grant`: what a linked client may call.

use clap::Args;
use msp_core::Grants;
use msp_protocol::ClientName;
use serde_json::json;

use crate::caller::GrantOptions;
use crate::context::Context;
use crate::error::AdminError;

/// Set what a linked client may call, in place of what it could call before
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Grant {
    /// Its name
    name: ClientName,

    #[command(flatten)]
    grants: GrantOptions,

    /// Grant what a client has that was added without --allow: the functions of modules.ini that only read
    #[arg(long, conflicts_with_all = ["allow", "allow_write"])]
    standard: bool,
}

impl Grant {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let grants = self.grants.grants();
        if grants == Grants::Standard && !self.standard {
            return Err(AdminError::Usage("give --allow, --allow-write or --standard".to_owned()));
        }
        let registry = context.registry().await?;
        registry
            .set_grants(&self.name, &grants, &context.actor())
            .await
            .map_err(AdminError::of_client(&self.name))?;
        context.output.result(&json!({ "name": self.name }), || format!("{}: grants set", self.name))
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin client grant laptop --allow 'sys*' --allow time_test
  msp-admin client grant laptop --allow '*' --allow-write restart
  msp-admin client grant laptop --standard";
