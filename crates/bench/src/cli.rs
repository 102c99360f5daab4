//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::load::{Rubbish, Shape};

/// Measures mini-share-point side by side with a bare HTTP echo
#[derive(Debug, Parser)]
#[command(
    name = "msp-bench",
    version,
    after_help = "Examples:
  cargo build --release && target/release/msp-bench rows      every figure of docs/BENCHMARKS.md
  msp-bench rows classic envelope                             some of them
  msp-bench rows beside --other /old/msp-server               what a call costs beside another build
  msp-bench micro                                             crypto and codec steps
  msp-bench load --shape envelope --clients 1000              a load of your own

Servers are started on loopback, in a folder that goes when the run ends (--work keeps one).
Exit code: 0 when measured, 1 when that failed or an answer was wrong, 2 for a wrong command line."
)]
pub(crate) struct Cli {
    /// Keep registries in this folder and use them again: registering 100,000 clients takes a while
    #[arg(long, value_name = "FOLDER", global = true)]
    pub(crate) work: Option<PathBuf>,
    /// Seconds of each measurement
    #[arg(long, default_value = "2", value_parser = seconds, global = true)]
    pub(crate) time: Duration,
    /// Measurements of each figure, of which the median counts
    #[arg(long, default_value = "5", global = true)]
    pub(crate) rounds: usize,
    /// Print JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the yardstick (used by the others)
    #[command(hide = true)]
    Echo {
        /// Bytes of each answer
        answer: usize,
    },
    /// Time every step of the wire format
    Micro,
    /// Load a server with requests of one kind and print what came of it
    Load(Load),
    /// Compare the times of refusals of every kind
    Timing {
        /// Refusals of each kind, on average
        #[arg(long, default_value = "20000")]
        each: u64,
    },
    /// Measure the rows of docs/BENCHMARKS.md
    Rows {
        /// Only rows whose name begins with one of these
        names: Vec<String>,
        /// Also measure the row beside: this msp-server of another build, in turn with the one beside msp-bench
        #[arg(long, value_name = "FILE")]
        other: Option<PathBuf>,
    },
}

/// One load.
#[derive(Debug, Args)]
pub(crate) struct Load {
    /// How calls are packed
    #[arg(long, value_enum, default_value = "envelope")]
    pub(crate) shape: Shape,
    /// What is sent
    #[arg(long, value_enum, default_value = "calls")]
    pub(crate) send: Send,
    /// Which garbage, with --send garbage
    #[arg(long, value_enum, default_value = "mixed")]
    pub(crate) garbage: Rubbish,
    /// Registered clients
    #[arg(long, default_value = "1")]
    pub(crate) clients: usize,
    /// Connections, each with one request under way
    #[arg(long, default_value = "16")]
    pub(crate) connections: usize,
    /// Requests a second (else as many as are answered)
    #[arg(long)]
    pub(crate) rate: Option<f64>,
    /// At most so many requests
    #[arg(long)]
    pub(crate) requests: Option<u64>,
    /// The function to call: time_test (native), clock and slow (Python)
    #[arg(long, default_value = "time_test")]
    pub(crate) function: String,
}

/// What a load sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Send {
    /// Fresh calls, from an address of each client's own
    Calls,
    /// Fresh calls, each from an address never seen
    FirstContact,
    /// What must be refused
    Garbage,
    /// Calls, each sent twice
    Replays,
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| (0.1..=600.0).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "seconds from 0.1 to 600".to_owned())
}
