//! `appendclient` and `client add`: registers a client's public key.

use std::time::Duration;

use clap::Args;
use msp_core::{NewClient, RegistryError};
use msp_protocol::{ClientName, OsRng, PublicKey, Secret};

use crate::caller::GrantOptions;
use crate::context::Context;
use crate::error::AdminError;
use crate::issued_credentials::IssuedCredentials;
use crate::output;
use crate::times;

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The client's public key: the one line of its client.pub
    #[arg(value_name = "KEY")]
    key: String,

    /// Link key and secret under this name, so that the client can be listed, rotated and revoked alone
    #[arg(long)]
    name: Option<ClientName>,

    #[command(flatten)]
    grants: GrantOptions,

    /// Refuse the client after this time: 90d, 12h, 30m, 45s
    #[arg(long, value_name = "TIME", value_parser = times::span)]
    expires: Option<Duration>,

    /// Let a named client use the classic shape too (one without a name always may)
    #[arg(long)]
    classic: bool,

    /// Where the client reaches the server, for its enrolment line (else PublicUrl in config.ini)
    #[arg(long)]
    pub(crate) url: Option<String>,
}

impl Add {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let key: PublicKey = self.key.trim().parse().map_err(AdminError::ClientKey)?;
        let server = context.server_key()?;
        let secret = Secret::generate(&mut OsRng);
        self.register(context, key, &secret).await?;
        IssuedCredentials { server, client: key, secret: &secret, name: self.name.as_ref() }.print(context)
    }

    async fn register(&self, context: &Context, key: PublicKey, secret: &Secret) -> Result<(), AdminError> {
        let registry = context.registry_or_new().await?;
        let actor = context.actor();
        let mut client = NewClient {
            key,
            secret: secret.digest(),
            name: self.name.clone(),
            grants: self.grants.grants(),
            expires: self.expires.map(|span| context.clock.unix().saturating_add(span.as_secs())),
            classic: self.classic || self.name.is_none(),
            revive: false,
        };
        match registry.add_client(&client, &actor).await {
            // Whoever types the key of a client that is gone wants it back; that it was gone should be known.
            Err(RegistryError::Tombstone(_)) => {
                client.revive = true;
                registry.add_client(&client, &actor).await?;
                output::note("Note: this key was revoked, expired or purged before; it is registered anew");
            }
            added => added?,
        }
        Ok(())
    }
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  appendclient iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q=
  appendclient iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q= --name laptop --allow 'sys*'
  appendclient iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q= --name laptop --expires 90d
  appendclient iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q= --url https://share.example.org

Without --name the key and its secret are kept without a saved relationship: the client cannot be
listed, rotated or revoked by a name. Without --allow it may call the functions of modules.ini
that only read. The secret and the enrolment line go to standard error, the server's public key to
standard output.";
