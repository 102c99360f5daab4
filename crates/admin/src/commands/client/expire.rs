//! `client expire`: until when a linked client is let in.

use std::time::Duration;

use clap::Args;
use msp_protocol::{ClientName, UnixSecond};
use serde_json::json;

use crate::context::Context;
use crate::error::AdminError;
use crate::times;

/// Set until when a linked client is let in
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Expire {
    /// Its name
    name: ClientName,

    #[command(flatten)]
    when: Expiry,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Expiry {
    /// After this time: 90d, 12h, 30m, 45s
    #[arg(long, value_name = "TIME", value_parser = times::span)]
    r#in: Option<Duration>,

    /// At the start of this day in local time (2027-01-31), or at this moment (2027-01-31T12:00:00Z)
    #[arg(long, value_name = "DATE", value_parser = times::moment)]
    at: Option<UnixSecond>,

    /// Not at all
    #[arg(long)]
    never: bool,
}

impl Expire {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let after = |span: Duration| context.clock.unix().saturating_add(span.as_secs());
        let expires = self.when.at.or_else(|| self.when.r#in.map(after));
        let registry = context.registry().await?;
        registry
            .set_expiry(&self.name, expires, &context.actor())
            .await
            .map_err(AdminError::of_client(&self.name))?;
        context.output.result(&json!({ "name": self.name, "expires": expires }), || {
            format!("{} expires: {}", self.name, times::expiry(expires))
        })
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin client expire laptop --in 90d
  msp-admin client expire laptop --at 2027-01-31
  msp-admin client expire laptop --never";
