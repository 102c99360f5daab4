//! The command lines: what may be written, the words that explain it, and the way from there to a command.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::as_owner;
use crate::commands::{
    ApiKey, Audit, Backup, Bans, CheckConfig, Client, Completions, Doctor, Floor, Functions, GenKey, Import,
    Man, Restore, Why, client,
};
use crate::context::Context;
use crate::error::AdminError;
use crate::options::GlobalOptions;
use crate::output;

/// Runs `msp-admin`.
#[must_use]
pub fn msp_admin() -> ExitCode {
    match parse::<Cli>(USAGE) {
        Ok(cli) => run(cli.global, cli.command),
        Err(code) => code,
    }
}

/// Runs `gen_key`.
#[must_use]
pub fn gen_key() -> ExitCode {
    match parse::<GenKeyCli>(USAGE) {
        Ok(cli) => run(GlobalOptions::default(), Command::GenKey(cli.options)),
        Err(code) => code,
    }
}

/// Runs `appendclient`, whose exit code for a wrong command line is the original's.
#[must_use]
pub fn appendclient() -> ExitCode {
    match parse::<AppendClientCli>(APPENDCLIENT_USAGE) {
        Ok(cli) => run(cli.global, Command::AppendClient(cli.options)),
        Err(code) => code,
    }
}

/// Runs `purgeclients`.
#[must_use]
pub fn purgeclients() -> ExitCode {
    match parse::<PurgeClientsCli>(USAGE) {
        Ok(cli) => run(cli.global, Command::PurgeClients(cli.options)),
        Err(code) => code,
    }
}

/// The definitions of all four command lines, from which help, completions and manual pages are made.
#[must_use]
pub fn definitions() -> [clap::Command; 4] {
    [Cli::command(), GenKeyCli::command(), AppendClientCli::command(), PurgeClientsCli::command()]
}

fn parse<P: Parser>(usage: u8) -> Result<P, ExitCode> {
    let arguments = as_owner::begin().map_err(|error| report(&error))?;
    P::try_parse_from(arguments).map_err(|error| {
        // Help that nobody reads to its end is no failure.
        let _nobody_listens = error.print();
        if error.use_stderr() { ExitCode::from(usage) } else { ExitCode::SUCCESS }
    })
}

fn run(global: GlobalOptions, command: Command) -> ExitCode {
    let done = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| AdminError::io("start", cause))
        .and_then(|runtime| runtime.block_on(command.run(global)));
    done.map_or_else(|error| report(&error), |()| ExitCode::SUCCESS)
}

/// Says why a command ended; what is not ours in the line, a server's words or a file's name, is written out.
fn report(error: &AdminError) -> ExitCode {
    if let Some(line) = error.line() {
        output::note(&line);
    }
    error.exit_code()
}

/// Runs a mini-share-point server: its clients, its registry, and what it refuses
#[derive(Debug, Parser)]
#[command(name = "msp-admin", version, disable_help_subcommand = true, after_help = EXAMPLES)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: GlobalOptions,

    #[command(subcommand)]
    command: Command,
}

/// Generate key files
#[derive(Debug, Parser)]
#[command(name = "gen_key", version, after_help = crate::commands::gen_key::EXAMPLES)]
struct GenKeyCli {
    #[command(flatten)]
    options: GenKey,
}

/// Register a client's public key, and print its new secret and the server's public key
#[derive(Debug, Parser)]
#[command(name = "appendclient", version, after_help = client::add::EXAMPLES)]
struct AppendClientCli {
    #[command(flatten)]
    global: GlobalOptions,

    #[command(flatten)]
    options: client::Add,
}

/// Delete all clients
#[derive(Debug, Parser)]
#[command(name = "purgeclients", version, after_help = client::purge::EXAMPLES)]
struct PurgeClientsCli {
    #[command(flatten)]
    global: GlobalOptions,

    #[command(flatten)]
    options: client::Purge,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add, list and revoke the api keys of REST callers
    #[command(name = "apikey", subcommand)]
    ApiKey(ApiKey),
    /// Register a client as the original's appendclient does; the same as client add
    #[command(name = "appendclient", after_help = client::add::EXAMPLES)]
    AppendClient(client::Add),
    Audit(Audit),
    Backup(Backup),
    Bans(Bans),
    CheckConfig(CheckConfig),
    /// Add, list, change and remove clients
    #[command(subcommand)]
    Client(Client),
    Completions(Completions),
    Doctor(Doctor),
    #[command(subcommand)]
    Floor(Floor),
    Functions(Functions),
    #[command(name = "gen_key", visible_alias = "gen-key", after_help = crate::commands::gen_key::EXAMPLES)]
    GenKey(GenKey),
    Import(Import),
    Man(Man),
    /// Delete all clients as the original's purgeclients does; the same as client purge
    #[command(name = "purgeclients", after_help = client::purge::EXAMPLES)]
    PurgeClients(client::Purge),
    Restore(Restore),
    Why(Why),
}

impl Command {
    /// Reads, as root, the files that the command line names, so that their texts go along with whom it becomes.
    fn read_named(&self) -> Result<(), AdminError> {
        match self {
            Self::Import(options) if as_owner::is_root() => {
                options.read_named();
                Ok(())
            }
            Self::Client(Client::Revoke(options)) if as_owner::is_root() => options.read_named(),
            _ => Ok(()),
        }
    }

    async fn run(self, global: GlobalOptions) -> Result<(), AdminError> {
        self.read_named()?;
        let context = |url: Option<&str>| Context::load(&global, url, None);
        match self {
            Self::ApiKey(command) => {
                let context = context(None)?;
                context.change(command.run(&context)).await
            }
            Self::AppendClient(options) => {
                let context = context(options.url.as_deref())?;
                context.change(options.run(&context)).await
            }
            Self::Audit(options) => options.run(&context(None)?).await,
            Self::Backup(options) => options.run(&global).await,
            Self::Bans(options) => options.run(&context(None)?),
            Self::CheckConfig(options) => options.run(&global),
            Self::Client(command) => {
                let context = context(command.url())?;
                context.change(command.run(&context)).await
            }
            Self::Completions(options) => options.run(definitions()),
            Self::Doctor(options) => options.run(&global).await,
            Self::Floor(command) => command.run(&context(None)?).await,
            Self::Functions(options) => options.run(&context(None)?),
            Self::GenKey(options) => options.run(),
            Self::Import(options) => {
                let context = context(None)?;
                context.change(options.run(&context)).await
            }
            Self::Man(options) => options.run(Cli::command(), definitions()),
            Self::PurgeClients(options) => {
                let context = context(None)?;
                context.change(options.run(&context)).await
            }
            Self::Restore(options) => options.run(&global).await,
            Self::Why(options) => options.run(&context(None)?),
        }
    }
}

/// The exit code for a wrong command line.
const USAGE: u8 = 2;

/// The same for appendclient.
const APPENDCLIENT_USAGE: u8 = 1;

const EXAMPLES: &str = "\
Examples:
  msp-admin client add iSQhxAx4b3IqGZv0sT7n8zK07ugSYe697WSWDg/fb1Q= --name laptop
  msp-admin client list                  who may call what, and when each was last used
  msp-admin client rotate laptop         a new secret; the old one works until the new one is used
  msp-admin apikey add monitoring --allow systeminfo
  msp-admin why --last 5                 the true reasons of the last refusals
  msp-admin functions                    what is served, and what does not load and why
  msp-admin doctor                       is everything as it should be?
  msp-admin backup /safe/msp.backup      while the server runs

Exit codes:
  0  done
  1  not done, nothing found, or a problem found
  2  a wrong command line (appendclient alone: 1)";
