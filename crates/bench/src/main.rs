//! `msp-bench`: how fast the server is, against a bare echo in the same run; docs/BENCHMARKS.md says how to read it.

mod cli;
mod echo;
mod http;
mod load;
mod micro;
mod population;
mod process;
mod report;
mod rows;
mod site;
mod timing;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use msp_core::clock::SystemClock;

use cli::{Cli, Command};

/// Why something could not be measured; one line for whoever measures.
type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("msp-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<(), Failure> {
    let clock = Arc::new(SystemClock::start());
    if let Command::Echo { answer } = &cli.command {
        return actix_web::rt::System::new().block_on(echo::serve(*answer));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    tokio::task::LocalSet::new().block_on(&runtime, async {
        match &cli.command {
            Command::Echo { .. } => Ok(()),
            Command::Micro => report::steps(cli.json, &micro::all(&*clock)?.0),
            Command::Load(load) => rows::load(cli, load, clock).await,
            Command::Timing { each } => timing::measure(cli, *each, clock).await,
            Command::Rows { names, other } => rows::measure(cli, names, other.as_deref(), clock).await,
        }
    })
}
