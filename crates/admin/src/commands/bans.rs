//! `bans`: the addresses that failed too often.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use msp_core::control::{Reply, Request};
use serde_json::json;

use crate::context::Context;
use crate::error::AdminError;
use crate::times;

/// List the addresses that failed too often, or take one off the list
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Bans {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List them, as without a word
    List,
    /// Take one off the list
    Lift {
        /// The address; an IPv6 address stands for its /64
        address: IpAddr,
    },
}

impl Bans {
    pub(crate) fn run(&self, context: &Context) -> Result<(), AdminError> {
        match self.action {
            None | Some(Action::List) => list(context),
            Some(Action::Lift { address }) => lift(context, address),
        }
    }
}

fn list(context: &Context) -> Result<(), AdminError> {
    let server = context.server();
    let Reply::Bans { bans } = server.ask(&Request::Bans)? else { return Err(server.unexpected()) };
    context.output.result(&bans, || {
        let rows = bans.iter().map(|ban| {
            [
                ban.address.as_str().into(),
                ban.failures.to_string().into(),
                times::duration(ban.remaining_sec).into(),
            ]
        });
        context.output.table(["ADDRESS", "FAILURES", "ENDS IN"], rows.collect())
    })
}

fn lift(context: &Context, address: IpAddr) -> Result<(), AdminError> {
    context.server().ask(&Request::LiftBan { address })?;
    context.output.result(&json!({ "lifted": address }), || format!("{address} is off the ban list"))
}

const EXAMPLES: &str = "\
Examples:
  msp-admin bans
  msp-admin bans lift 192.0.2.7

A ban slows password log-ins and the search through classic keys; it never refuses a client that
proves itself.";
