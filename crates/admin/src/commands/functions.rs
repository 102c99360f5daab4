//! `functions`: what the running server serves, and what does not load and why.

use clap::Args;
use msp_core::NAMESPACE;
use msp_core::control::{FunctionRow, FunctionState, Reply, Request};

use crate::context::Context;
use crate::error::AdminError;
use crate::output::{Cell, Tone};

/// List the functions of the running server: runner, access, route, state, calls, and why one does not load
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Functions {}

impl Functions {
    pub(crate) fn run(&self, context: &Context) -> Result<(), AdminError> {
        let server = context.server();
        let Reply::Functions { functions } = server.ask(&Request::Functions)? else {
            return Err(server.unexpected());
        };
        context.output.result(&functions, || {
            let header = ["NAME", "RUNNER", "ACCESS", "ROUTE", "STATE", "CALLS", "FAILED", "FROM", "ERROR"];
            // Where all are the same, a column says nothing.
            if functions.iter().filter_map(|function| function.namespace.as_deref()).all(|it| it == NAMESPACE)
            {
                return context.output.table(header, functions.iter().map(row).collect());
            }
            let header = with_namespace(header, "NAMESPACE");
            context.output.table(header, functions.iter().map(row_with_namespace).collect())
        })
    }
}

/// Adds the namespace behind the name.
fn with_namespace<T>(row: [T; 9], namespace: T) -> [T; 10] {
    let [name, runner, access, route, state, calls, failed, source, error] = row;
    [name, namespace, runner, access, route, state, calls, failed, source, error]
}

fn row_with_namespace(function: &FunctionRow) -> [Cell; 10] {
    with_namespace(row(function), function.namespace.as_deref().unwrap_or("-").into())
}

fn row(function: &FunctionRow) -> [Cell; 9] {
    let known = |text: &Option<String>| Cell::from(text.as_deref().unwrap_or("-"));
    [
        function.name.as_str().into(),
        known(&function.runner),
        known(&function.access),
        known(&function.route),
        Cell::toned(function.state.as_str(), tone(function.state)),
        function.calls.to_string().into(),
        function.failed.to_string().into(),
        function.source.as_str().into(),
        // What keeps it from loading is worth more than how its last call failed.
        known(if function.error.is_some() { &function.error } else { &function.last_failure }),
    ]
}

const fn tone(state: FunctionState) -> Tone {
    match state {
        FunctionState::Failed => Tone::Bad,
        FunctionState::Loading | FunctionState::Stale => Tone::Warning,
        FunctionState::Ready => Tone::Good,
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin functions
  msp-admin functions --json | jq '.[] | select(.state != \"ready\") | {name, error}'

States:
  ready    it can be called
  loading  it loads for the first time since the start
  stale    it does not load as it is now; what loaded before can be called
  failed   it does not load, and nobody can call it

ERROR is why it does not load, or else how its last call failed. Calls are counted from the server's start.";
