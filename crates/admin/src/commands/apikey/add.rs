//! `apikey add`: a new key for a REST caller.

use std::time::Duration;

use clap::Args;
use msp_core::NewApiKey;
use msp_protocol::{ApiKey, ClientName, OsRng, UnixSecond};
use serde::Serialize;

use crate::caller::GrantOptions;
use crate::context::Context;
use crate::error::AdminError;
use crate::output;
use crate::times;

/// Make an api key for REST callers of plugins and functions, and print it, once
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Add {
    /// A name for it, by which it is listed and revoked
    name: ClientName,

    #[command(flatten)]
    grants: GrantOptions,

    /// Refuse the key after this time: 90d, 12h, 30m, 45s
    #[arg(long, value_name = "TIME", value_parser = times::span)]
    expires: Option<Duration>,

    /// Accept the key from a URL's query too (?apikey=…), where logs and histories keep it
    #[arg(long)]
    allow_query: bool,
}

#[derive(Serialize)]
struct Json<'a> {
    name: &'a ClientName,
    api_key: &'a str,
    expires: Option<UnixSecond>,
}

impl Add {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let key = ApiKey::generate(&mut OsRng);
        let new = NewApiKey {
            name: self.name.clone(),
            digest: key.digest(),
            grants: self.grants.grants(),
            expires: self.expires.map(|span| context.clock.unix().saturating_add(span.as_secs())),
            allow_query: self.allow_query,
        };
        context.registry_or_new().await?.add_api_key(&new, &context.actor()).await?;
        if context.output.json() {
            let json = Json { name: &self.name, api_key: key.dangerously_as_str(), expires: new.expires };
            return context.output.result(&json, String::new);
        }
        output::print(key.dangerously_as_str())?;
        let query = if self.allow_query { ", or in the query: `?apikey=…`" } else { "" };
        output::note(&format!(
            "Hint: it is shown only now; callers send it in a header: `Authorization: Bearer …`{query}"
        ));
        Ok(())
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin apikey add monitoring --allow systeminfo --expires 90d
  msp-admin apikey add reports --allow 'sys*' --allow-write report
  msp-admin apikey add deploy --allow plugin/list --allow-write plugin/reload
  msp-admin apikey add old-script --allow systeminfo --allow-query
  curl -H \"Authorization: Bearer $(cat monitoring.apikey)\" https://share.example.org/systeminfo

Only the key goes to standard output. The registry keeps its SHA-256: a lost key is revoked and
made anew.

Without --allow a key may call the functions of modules.ini that only read, and no plugin. Two
functions stand for the control routes: plugin/list (GET /plugins and /openapi.json; read) and
plugin/reload (/reload/…; write). `*` does not match `/`, so that '*' grants neither of them.";
