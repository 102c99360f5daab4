//! `client show`: everything about one client.

use clap::Args;
use msp_protocol::ClientName;

use super::record::{ClientView, find};
use crate::context::Context;
use crate::error::AdminError;
use crate::output::Cell;
use crate::times;

/// Show one client
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Show {
    /// Its name, or its fingerprint
    name: ClientName,
}

impl Show {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let clients = context.registry().await?.clients().await?;
        let client = ClientView::new(find(&clients, &self.name)?, context.clock.unix());
        context.output.result(&client, || {
            let rows: [(&str, Cell); 10] = [
                ("name", client.name.as_ref().map_or("- (unlinked)", ClientName::as_str).into()),
                ("fingerprint", client.fingerprint.as_str().into()),
                ("key", client.key.as_str().into()),
                ("grants", client.grants.text().into()),
                ("classic", if client.classic { "yes" } else { "no" }.into()),
                ("added", times::or_dash(client.added, times::local).into()),
                ("last used", times::or_dash(client.last_used, times::day).into()),
                ("expires", times::expiry(client.expires).into()),
                ("old secret until", times::or_dash(client.old_secret_until, times::local).into()),
                ("state", client.state_cell()),
            ];
            context.output.table(["CLIENT", ""], rows.map(|(name, value)| [name.into(), value]).into())
        })
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin client show laptop
  msp-admin client show 5c1d-02a7-9b3e-f410";
