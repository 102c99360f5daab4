//! `doctor`: whether everything is as it should be.

use clap::Args;
use msp_core::control::{FunctionRow, FunctionState, Reply, Request, Status};
use msp_protocol::UnixSecond;

use crate::checks::{self, Check, Verdict};
use crate::context::Context;
use crate::error::AdminError;
use crate::options::GlobalOptions;
use crate::output::Output;
use crate::times;

/// Check everything: what a start would load, keys, registry, the running server with its functions, clock and disk
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Doctor {}

impl Doctor {
    pub(crate) async fn run(&self, options: &GlobalOptions) -> Result<(), AdminError> {
        let checks = match Context::load(options, None, None) {
            Ok(context) => match checks::place(&context.settings) {
                Some(elsewhere) => vec![elsewhere],
                None => look(&context, options).await,
            },
            Err(error @ AdminError::RanAsOwner(_)) => return Err(error),
            Err(error) => vec![Check::problem("configuration", error.to_string())],
        };
        let output = Output::new(options.json);
        output.result(&checks, || {
            let rows = checks.iter().map(|check| {
                [check.name.as_ref().into(), check.verdict.cell(), check.detail.as_str().into()]
            });
            output.table(["CHECK", "STATE", "DETAIL"], rows.collect())
        })?;
        checks::verdict(&checks)
    }
}

async fn look(context: &Context, options: &GlobalOptions) -> Vec<Check> {
    let settings = &context.settings;
    let mut checks = checks::configuration(settings, &checks::report(settings, options).0);
    checks.push(checks::server_keys(settings));
    let (registry, opened) = checks::registry(context).await;
    checks.push(registry);
    checks::add_findings(&mut checks, options);
    let now = context.clock.unix();
    match context.server().status() {
        Ok(Some(status)) => {
            checks.extend(server(&status));
            checks.extend(functions(context));
            checks.push(floor(now, status.guard.floor.max(status.guard.accepted_until)));
        }
        Ok(None) => {
            checks.push(Check::new("server", Verdict::Warning, "not running"));
            if let Some(registry) = opened {
                checks.push(match registry.marks().await {
                    Ok(marks) => floor(now, marks.accepted_until),
                    Err(error) => Check::problem("clock", error.to_string()),
                });
            }
        }
        Err(error) => checks.push(Check::problem("server", error.to_string())),
    }
    checks.extend(checks::disk_space(settings));
    checks
}

fn server(status: &Status) -> Vec<Check> {
    let name = "server";
    let row = |verdict: Verdict| move |line: &String| Check::new(name, verdict, line);
    let running = format!(
        "version {}, process {}, up {}, {} clients, {} functions",
        status.version,
        status.pid,
        times::duration(status.uptime_sec),
        status.clients,
        status.functions.len()
    );
    std::iter::once(Check::new(name, Verdict::Ok, running))
        .chain(status.not_ready.iter().map(row(Verdict::Problem)))
        .chain(status.notes.iter().map(row(Verdict::Ok)))
        .chain(status.warnings.iter().map(row(Verdict::Warning)))
        .collect()
}

/// Those that cannot be called as they are now, each with its reason.
fn functions(context: &Context) -> Vec<Check> {
    match context.server().ask(&Request::Functions) {
        Ok(Reply::Functions { functions }) => functions.iter().filter_map(unserved).collect(),
        Ok(_) => vec![Check::problem("functions", context.server().unexpected().to_string())],
        Err(error) => vec![Check::problem("functions", error.to_string())],
    }
}

fn unserved(function: &FunctionRow) -> Option<Check> {
    let (name, from) = (format!("function {}", function.name), &function.source);
    let why = function.error.as_deref().unwrap_or("see the log");
    match function.state {
        FunctionState::Ready => None,
        FunctionState::Loading => Some(Check::new(name, Verdict::Warning, format!("{from}: still loading"))),
        FunctionState::Stale => {
            Some(Check::problem(name, format!("{from}: what loaded before is served; now: {why}")))
        }
        FunctionState::Failed => Some(Check::problem(name, format!("{from}: {why}"))),
    }
}

/// Nothing is accepted until the clock has passed the floor; two seconds ahead are usual.
fn floor(now: UnixSecond, floor: UnixSecond) -> Check {
    let clock = times::local(now);
    match floor.saturating_sub(now) {
        0..=2 => Check::new("clock", Verdict::Ok, clock),
        ahead => Check::problem(
            "clock",
            format!(
                "{clock}; the floor is {} ahead: nothing is accepted until then. Set the clock right, or see \
                 `msp-admin floor show`",
                times::duration(ahead)
            ),
        ),
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin doctor
  msp-admin doctor --json | jq '.[] | select(.verdict != \"ok\")'";
