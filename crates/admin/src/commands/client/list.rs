//! `client list`: who is registered.

use clap::Args;
use serde::Serialize;

use super::record::ClientView;
use crate::context::Context;
use crate::error::AdminError;
use crate::output::{self, Cell};
use crate::times;

/// List the clients
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {
    /// List the keys of unlinked clients in place of the named ones
    #[arg(long)]
    keys: bool,
}

#[derive(Debug, Serialize)]
struct Listed {
    linked: Vec<ClientView>,
    unlinked: Vec<ClientView>,
    unlinked_secrets: usize,
}

impl List {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let snapshot = context.registry().await?.snapshot().await?;
        let now = context.clock.unix();
        let shown = snapshot.clients.iter().map(|client| ClientView::new(client, now));
        let (mut linked, mut unlinked): (Vec<_>, Vec<_>) = shown.partition(|client| client.name.is_some());
        linked.sort_by(|a, b| a.name.cmp(&b.name));
        unlinked.sort_by(|a, b| a.key.cmp(&b.key));
        let listed = Listed { linked, unlinked, unlinked_secrets: snapshot.secrets.len() };
        context.output.result(&listed, || self.text(context, &listed))?;
        if !context.output.json() && !self.keys && listed.unlinked.len() + listed.unlinked_secrets > 0 {
            output::note(&format!(
                "and {} unlinked keys with {} unlinked secrets (--keys lists the keys)",
                listed.unlinked.len(),
                listed.unlinked_secrets
            ));
        }
        Ok(())
    }

    fn text(&self, context: &Context, listed: &Listed) -> String {
        if self.keys {
            let rows = listed.unlinked.iter().map(|client| {
                let [key, fingerprint] = [&client.key, &client.fingerprint].map(Cell::from);
                [
                    key,
                    fingerprint,
                    client.grants.text().into(),
                    times::expiry(client.expires).into(),
                    client.state_cell(),
                ]
            });
            return context
                .output
                .table(["KEY", "FINGERPRINT", "GRANTS", "EXPIRES", "STATE"], rows.collect());
        }
        let rows = listed.linked.iter().map(|client| {
            [
                client.name.as_ref().map_or("-", |name| name.as_str()).into(),
                client.fingerprint.as_str().into(),
                client.grants.text().into(),
                times::or_dash(client.added, times::day).into(),
                times::or_dash(client.last_used, times::day).into(),
                times::expiry(client.expires).into(),
                client.state_cell(),
            ]
        });
        let header = ["NAME", "FINGERPRINT", "GRANTS", "ADDED", "LAST USED", "EXPIRES", "STATE"];
        context.output.table(header, rows.collect())
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin client list
  msp-admin client list --keys
  msp-admin client list --json | jq '.linked[] | select(.state == \"expired\") | .name'";
