//! `floor`: the second at or below which no request is accepted.

use clap::{Args, Subcommand};
use msp_core::AuditEvent;
use msp_core::control::{Reply, Request};
use msp_protocol::UnixSecond;
use serde::Serialize;

use crate::context::Context;
use crate::error::AdminError;
use crate::prompt;
use crate::times;

/// Show or lower the floor, at or below which no request is accepted
#[derive(Debug, Subcommand)]
pub(crate) enum Floor {
    /// Lower it to the clock, after the clock was wrong
    #[command(after_help = EXAMPLES)]
    Reset(Reset),
    /// Show it beside the clock
    Show,
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// Where the floor is; all times are Unix seconds.
#[derive(Debug, Serialize)]
struct FloorState {
    server_runs: bool,
    now: UnixSecond,
    floor: UnixSecond,
    accepted_until: UnixSecond,
    mark_failing: bool,
}

/// What a reset did.
#[derive(Debug, Serialize)]
struct ResetReport {
    reset: bool,
    /// The first and the last second that became replayable.
    replayable: Option<(UnixSecond, UnixSecond)>,
}

impl Floor {
    pub(crate) async fn run(&self, context: &Context) -> Result<(), AdminError> {
        let state = FloorState::ask(context).await?;
        match self {
            Self::Show => context.output.result(&state, || state.text()),
            Self::Reset(reset) => reset.run(context, &state).await,
        }
    }
}

impl FloorState {
    /// Asks the server; when none runs, the registry says what the next start takes as floor.
    async fn ask(context: &Context) -> Result<Self, AdminError> {
        let server = context.server();
        match server.try_ask(&Request::Floor)? {
            Some(Reply::Floor { guard, now }) => Ok(Self {
                server_runs: true,
                now,
                floor: guard.floor,
                accepted_until: guard.accepted_until,
                mark_failing: guard.mark_failing,
            }),
            Some(_) => Err(server.unexpected()),
            None => {
                let mark = context.registry().await?.marks().await?.accepted_until;
                Ok(Self {
                    server_runs: false,
                    now: context.clock.unix(),
                    floor: mark,
                    accepted_until: mark,
                    mark_failing: false,
                })
            }
        }
    }

    /// The highest second that a reset opens again.
    fn highest(&self) -> UnixSecond {
        self.floor.max(self.accepted_until)
    }

    fn text(&self) -> String {
        let who =
            if self.server_runs { "as the running server has it" } else { "as the next start takes it" };
        let ahead = match self.floor.checked_sub(self.now) {
            None | Some(0) => "not ahead of the clock".to_owned(),
            Some(by) => {
                format!("AHEAD of the clock by {}: nothing is accepted until then", times::duration(by))
            }
        };
        let failing =
            if self.mark_failing { "\nThe mark cannot be written: see the server's log" } else { "" };
        format!(
            "Floor ({who}): {}, {ahead}\nMark: {}\nClock: {}{failing}",
            moment(self.floor),
            moment(self.accepted_until),
            moment(self.now)
        )
    }
}

impl Reset {
    async fn run(&self, context: &Context, state: &FloorState) -> Result<(), AdminError> {
        let (first, last) = (state.now.saturating_add(1), state.highest());
        if last < first {
            return context.output.result(&ResetReport { reset: false, replayable: None }, || {
                "The floor is not ahead of the clock: nothing to do".to_owned()
            });
        }
        let opened = format!(
            "Requests dated from {} to {} that were accepted before become replayable",
            moment(first),
            moment(last)
        );
        let question = format!("{opened}. Lower the floor to the clock?");
        if !self.yes && !prompt::confirm(context.output, &question)? {
            return Ok(());
        }
        let request = Request::FloorReset { actor: context.actor() };
        if context.server().try_ask(&request)?.is_none() {
            reset_directly(context, state).await?;
        }
        context.output.result(&ResetReport { reset: true, replayable: Some((first, last)) }, || {
            format!("{opened}.\nThe floor is at the clock now")
        })
    }
}

/// Lowers the mark of the next start; no server may start in between.
async fn reset_directly(context: &Context, state: &FloorState) -> Result<(), AdminError> {
    let registry = context.registry().await?;
    let _lock = registry.lock_for_server().await?;
    let event = AuditEvent {
        actor: context.actor(),
        action: "floor.reset",
        subject: String::new(),
        detail: format!("floor {}, mark {}", state.floor, state.accepted_until),
    };
    registry.record(event).await?;
    registry.set_accepted_until(context.clock.unix()).await?;
    Ok(())
}

/// A second as a person reads it, and as it stands in requests.
fn moment(at: UnixSecond) -> String {
    if at == 0 { "none".to_owned() } else { format!("{} ({at})", times::local(at)) }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin floor show
  msp-admin floor reset --yes

A server whose clock once ran ahead refuses everything until that time has come. A reset gives up
the protection against replays for the seconds between: it says which, and is audited.";
