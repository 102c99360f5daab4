//! The command line: what may be written, and the words that explain it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use msp_protocol::ClientName;

/// Calls functions of a mini-share-point server
#[derive(Debug, Parser)]
#[command(
    name = "msp-client",
    version,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{DETAILS}"),
)]
pub(crate) struct Cli {
    /// Call time_test on this server and print its answer on standard error
    #[arg(required = true)]
    pub(crate) url: Option<String>,

    /// Use the classic shape, as the original server needs it
    #[arg(long)]
    pub(crate) classic: bool,

    #[command(flatten)]
    pub(crate) common: Common,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Use the keys and URL of this profile
    #[arg(long, value_name = "NAME", global = true)]
    pub(crate) profile: Option<String>,

    /// For https, trust the CA certificates of this PEM file, and no others; join keeps it in the profile
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) cafile: Option<PathBuf>,

    /// Give up after this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds, global = true)]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Call a function and print its answer
    Call(Call),
    /// Print a completion script for a shell
    Completions {
        /// The shell to print for
        shell: Shell,
    },
    /// List the functions that may be called
    Functions(Query),
    /// Generate key files
    #[command(name = "gen_key", visible_alias = "gen-key")]
    GenKey(GenKey),
    /// Unpack an enrolment line into a profile
    Join(Join),
    /// Print the manual page of msp-client or of one command, or write all pages
    Man {
        /// The command to describe
        command: Option<String>,

        /// Write all pages into this folder, which must exist
        #[arg(long, value_name = "FOLDER", conflicts_with = "command")]
        dir: Option<PathBuf>,
    },
    /// Ask the server for its version and time
    Ping(Query),
    /// List, choose or remove profiles
    #[command(subcommand)]
    Profile(ProfileCommand),
}

impl Command {
    /// True when a script asked for JSON.
    pub(crate) const fn json(&self) -> bool {
        match self {
            Self::Call(call) => call.json.is_some(),
            Self::Functions(query) | Self::Ping(query) => query.json,
            Self::Profile(ProfileCommand::List { json }) => *json,
            _ => false,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Show all profiles; the default one is marked
    List {
        /// Print them as JSON
        #[arg(long)]
        json: bool,
    },
    /// Delete a profile with its key and secret
    Remove {
        /// Its name
        name: ClientName,

        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
    /// Make a profile the default
    Use {
        /// Its name
        name: ClientName,
    },
}

#[derive(Debug, Args)]
#[command(override_usage = "msp-client call [OPTIONS] [URL] <FUNCTION>", after_help = CALL_EXAMPLES)]
pub(crate) struct Call {
    /// The server, unless a profile knows it, and the function to call
    #[arg(value_names = ["URL", "FUNCTION"], num_args = 1..=2, required = true)]
    pub(crate) target: Vec<String>,

    /// Add one argument; VALUE is taken as JSON where it is JSON, else as text
    #[arg(short, long = "arg", value_name = "NAME=VALUE")]
    pub(crate) args: Vec<String>,

    /// Print the answer as JSON; with ARGS, also take the arguments as one JSON value (- reads standard input)
    #[arg(long, value_name = "ARGS", num_args = 0..=1)]
    pub(crate) json: Option<Option<String>>,

    /// Use the classic shape, which takes no arguments, as the original server needs it
    #[arg(long, conflicts_with = "args")]
    pub(crate) classic: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    /// The server, unless a profile knows it
    pub(crate) url: Option<String>,

    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GenKey {
    /// What to generate: private, public (from NAME.key) or pair
    #[arg(value_name = "TYPE")]
    pub(crate) half: String,

    /// The files' name without its ending
    pub(crate) name: PathBuf,

    /// Replace an existing private key
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The line that starts with msp1: (- reads it from standard input)
    pub(crate) line: String,

    /// Open the line with this private key instead of client.key or the profile's key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,

    /// Replace the server key that the profile is pinned to
    #[arg(long)]
    pub(crate) force: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds.into())),
        _ => Err("a whole number from 1 to 86400 is right".into()),
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-client gen_key pair client                 make client.key and client.pub
  msp-client join msp1:…                         keep what the operator sent in a profile
  msp-client http://localhost:8000               call time_test
  msp-client call report --arg day=2024-03-30    call a function of the profile's server
  msp-client functions                           list what may be called
  msp-client profile list                        show the servers this client knows";

const DETAILS: &str = "\
Keys: those of --profile; else client.secret, client.key and server.pub in the current folder when all three are
there; else those of the default profile. Profiles are kept in $XDG_CONFIG_HOME/msp/client.toml, by default
~/.config/msp/client.toml. The server's key is pinned there and never fetched.

https: the server's certificate is checked against the machine's CA certificates, or those of --cafile alone;
SSL_CERT_FILE and SSL_CERT_DIR name others than the machine's. HTTPS_PROXY and its like are used. 307 and 308 are
followed to the same host; other redirects are named and not followed.

With --json an error is JSON too, on standard error: {\"error\":{\"code\":…,\"message\":…}}.

Exit codes:
  0  the call was answered
  1  refused, failed or not reached; a wrong command line of `msp-client URL`
  2  any other wrong command line";

const CALL_EXAMPLES: &str = "\
Examples:
  msp-client call time_test
  msp-client call http://localhost:8000 report --arg day=2024-03-30 --arg limit=5
  msp-client call report --arg 'zip=\"01234\"'      text in quotes stays text
  msp-client call report --json '{\"days\":[1,2]}'  JSON in, JSON out
  msp-client call report --json                   JSON out";
