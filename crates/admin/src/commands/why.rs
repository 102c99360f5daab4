//! `why`: the true reasons of refusals.

use std::net::IpAddr;

use clap::Args;
use msp_core::control::{Refusal, Reply, Request};
use serde_json::json;

use crate::context::Context;
use crate::error::AdminError;
use crate::log_search::{self, Filter};
use crate::options;
use crate::output;
use crate::times;

/// Say why requests were refused, the newest first
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Why {
    /// The request's id, as the log and the client's error have it
    #[arg(value_parser = request_id, conflicts_with_all = ["last", "address"])]
    id: Option<String>,

    /// At most so many
    #[arg(long, value_name = "N", default_value = "10", value_parser = options::count)]
    last: usize,

    /// Only those from this address
    #[arg(long)]
    address: Option<IpAddr>,
}

impl Why {
    pub(crate) fn run(&self, context: &Context) -> Result<(), AdminError> {
        let server = context.server();
        let request = Request::Why { id: self.id.clone(), address: self.address, last: self.last };
        match server.try_ask(&request)? {
            Some(Reply::Refusals { refusals }) if refusals.is_empty() => {
                Err(self.nothing("the server remembers no"))
            }
            Some(Reply::Refusals { refusals }) => {
                context.output.result(&refusals, || table(context, &refusals))
            }
            Some(_) => Err(server.unexpected()),
            None => self.search_log(context),
        }
    }

    fn search_log(&self, context: &Context) -> Result<(), AdminError> {
        let folder = &context.settings.log.directory;
        output::note(&format!("No server runs: searching the log in {}", folder.display()));
        let filter = match (&self.id, self.address) {
            (Some(id), _) => Filter::Id(id.clone()),
            (None, Some(address)) => Filter::Address(address),
            (None, None) => Filter::Any,
        };
        let lines = log_search::newest(folder, &filter, self.last)
            .map_err(|cause| AdminError::io(format!("read the log in {}", folder.display()), cause))?;
        if lines.is_empty() {
            return Err(self.nothing("the log has no"));
        }
        context.output.result(&json!({ "log": folder, "lines": lines }), || {
            lines.iter().map(|line| output::printable(line)).collect::<Vec<_>>().join("\n")
        })
    }

    fn nothing(&self, who: &str) -> AdminError {
        AdminError::NothingFound(match (&self.id, self.address) {
            (Some(id), _) => format!("{who} refusal {id}"),
            (None, Some(address)) => format!("{who} refusal of {address}"),
            (None, None) => format!("{who} refusals"),
        })
    }
}

fn table(context: &Context, refusals: &[Refusal]) -> String {
    let rows = refusals.iter().map(|refusal| {
        [
            times::local_millis(refusal.at_ms).into(),
            refusal.id.as_str().into(),
            refusal.address.to_string().into(),
            refusal.client.as_deref().unwrap_or("-").into(),
            refusal.answer.as_str().into(),
            refusal.reason.as_str().into(),
        ]
    });
    context.output.table(["TIME", "ID", "ADDRESS", "CLIENT", "ANSWER", "REASON"], rows.collect())
}

fn request_id(text: &str) -> Result<String, &'static str> {
    let legal = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if legal {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("16 hex digits are right, as in the log behind req=")
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin why 5f1c0e9a7b3d2468
  msp-admin why --last 20
  msp-admin why --address 192.0.2.7

The running server remembers the last 10000 refusals. When none runs, the log is searched, which
has the first refusal of each address every minute.";
