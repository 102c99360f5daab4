//! `client …`: add, list, change and remove clients.

pub(crate) mod add;
mod expire;
mod grant;
mod list;
pub(crate) mod purge;
mod record;
mod revoke;
mod rotate;
mod show;
mod switch;

pub(crate) use add::Add;
pub(crate) use purge::Purge;

use clap::Subcommand;

use crate::context::Context;
use crate::error::AdminError;

#[derive(Debug, Subcommand)]
pub(crate) enum Client {
    /// Register a client's public key, and print its new secret and the server's public key
    #[command(after_help = add::EXAMPLES)]
    Add(Add),
    /// Refuse a linked client until it is enabled again
    Disable(switch::Switch),
    /// Let a disabled client in again
    Enable(switch::Switch),
    Expire(expire::Expire),
    Grant(grant::Grant),
    List(list::List),
    /// Delete all clients
    #[command(after_help = purge::EXAMPLES)]
    Purge(Purge),
    Revoke(revoke::Revoke),
    Rotate(rotate::Rotate),
    Show(show::Show),
}

impl Client {
    /// Where the client is to reach the server, if the command line says so.
    pub(crate) fn url(&self) -> Option<&str> {
        match self {
            Self::Add(options) => options.url.as_deref(),
            Self::Rotate(options) => options.url.as_deref(),
            _ => None,
        }
    }

    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        match self {
            Self::Add(options) => options.run(context).await,
            Self::Disable(options) => options.run(context, true).await,
            Self::Enable(options) => options.run(context, false).await,
            Self::Expire(options) => options.run(context).await,
            Self::Grant(options) => options.run(context).await,
            Self::List(options) => options.run(context).await,
            Self::Purge(options) => options.run(context).await,
            Self::Revoke(options) => options.run(context).await,
            Self::Rotate(options) => options.run(context).await,
            Self::Show(options) => options.run(context).await,
        }
    }
}
