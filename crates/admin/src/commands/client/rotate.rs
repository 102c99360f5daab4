//! `client rotate`: a new secret for a linked client.

use std::time::Duration;

use clap::Args;
use msp_protocol::{ClientName, OsRng, Secret};

use crate::context::Context;
use crate::error::AdminError;
use crate::issued_credentials::IssuedCredentials;
use crate::output;
use crate::times;

/// Give a client a new secret; the old one works until the new one is first used, or the overlap ends
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Rotate {
    /// Its name
    name: ClientName,

    /// How long the old secret works at most: 90d, 12h, 30m, 45s
    #[arg(long, value_name = "TIME", value_parser = times::span, default_value = "7d")]
    overlap: Duration,

    /// Where the client reaches the server, for its enrolment line (else PublicUrl in config.ini)
    #[arg(long)]
    pub(crate) url: Option<String>,
}

impl Rotate {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let server = context.server_key()?;
        let secret = Secret::generate(&mut OsRng);
        let registry = context.registry().await?;
        let client = registry
            .rotate(&self.name, &secret.digest(), self.overlap, &context.actor())
            .await
            .map_err(AdminError::of_client(&self.name))?;
        IssuedCredentials { server, client: client.key, secret: &secret, name: Some(&self.name) }
            .print(context)?;
        let until = times::local(context.clock.unix().saturating_add(self.overlap.as_secs()));
        output::note(&format!("The old secret works until the new one is first used, at most until {until}"));
        Ok(())
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin client rotate laptop
  msp-admin client rotate laptop --overlap 1h --url https://share.example.org";
