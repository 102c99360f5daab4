//! `audit`: what was done to the server.

use clap::Args;

use crate::context::Context;
use crate::error::AdminError;
use crate::options;
use crate::times;

/// List what was done to the server, the newest first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Audit {
    /// At most so many lines
    #[arg(long, value_name = "N", default_value = "50", value_parser = options::count)]
    last: usize,
}

impl Audit {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let rows = context.registry().await?.audit_rows(self.last).await?;
        context.output.result(&rows, || {
            let cells = rows.iter().map(|row| {
                [
                    times::local(row.at).into(),
                    row.actor.as_str().into(),
                    row.action.as_str().into(),
                    row.subject.as_str().into(),
                    row.detail.as_str().into(),
                ]
            });
            context.output.table(["TIME", "ACTOR", "ACTION", "SUBJECT", "DETAIL"], cells.collect())
        })
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin audit
  msp-admin audit --last 1000 --json";
