//! `apikey …`: add, list and revoke the keys of REST callers.

mod add;
mod list;
mod revoke;

use clap::Subcommand;

use crate::context::Context;
use crate::error::AdminError;

#[derive(Debug, Subcommand)]
pub(crate) enum ApiKey {
    Add(add::Add),
    List(list::List),
    Revoke(revoke::Revoke),
}

impl ApiKey {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        match self {
            Self::Add(options) => options.run(context).await,
            Self::List(options) => options.run(context).await,
            Self::Revoke(options) => options.run(context).await,
        }
    }
}
