//! `apikey list`: which api keys there are.

use clap::Args;
use msp_core::ApiKeyRecord;
use msp_protocol::{ClientName, UnixSecond};
use serde::Serialize;

use crate::caller::{Granted, State};
use crate::context::Context;
use crate::error::AdminError;
use crate::times;

/// List the api keys, expired ones too
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct List {}

/// An api key in the words of the command line, as scripts get it; times are Unix seconds.
#[derive(Debug, Serialize)]
struct ApiKeyView {
    name: ClientName,
    grants: Granted,
    added: UnixSecond,
    last_used: Option<UnixSecond>,
    expires: Option<UnixSecond>,
    allow_query: bool,
    state: State,
}

impl List {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let now = context.clock.unix();
        let keys = context.registry().await?.api_keys().await?;
        let keys: Vec<_> = keys.into_iter().map(|key| ApiKeyView::new(key, now)).collect();
        context.output.result(&keys, || {
            let rows = keys.iter().map(|key| {
                [
                    key.name.as_str().into(),
                    key.grants.text().into(),
                    times::day(key.added).into(),
                    times::or_dash(key.last_used, times::day).into(),
                    times::expiry(key.expires).into(),
                    if key.allow_query { "yes" } else { "no" }.into(),
                    key.state.cell(),
                ]
            });
            let header = ["NAME", "GRANTS", "ADDED", "LAST USED", "EXPIRES", "QUERY", "STATE"];
            context.output.table(header, rows.collect())
        })
    }
}

impl ApiKeyView {
    fn new(key: ApiKeyRecord, now: UnixSecond) -> Self {
        Self {
            grants: Granted::new(&key.grants),
            state: State::at(now, key.expires),
            name: key.name,
            added: key.added,
            last_used: key.last_used,
            expires: key.expires,
            allow_query: key.allow_query,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin apikey list
  msp-admin apikey list --json | jq '.[] | select(.last_used == null) | .name'

QUERY says whether the key is accepted from a URL's query too.";
