//! The command line for clients of a mini-share-point server.

mod arguments;
mod cli;
mod commands;
mod demo;
mod error;
mod gen_key;
mod join;
mod keys;
mod output;
mod profile;
mod profiles;

use std::path::Path;
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use msp_client::{Address, Client};

use crate::cli::{Cli, Command, Common};
use crate::commands::PreparedCall;
use crate::error::CliError;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Standard error that nobody reads is no failure.
            let _ = error.print();
            return if error.use_stderr() { usage_exit_code() } else { ExitCode::SUCCESS };
        }
    };
    let is_demo = cli.command.is_none();
    let json = cli.command.as_ref().is_some_and(Command::json);
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(&error, json);
            if is_demo { ExitCode::FAILURE } else { error.exit_code() }
        }
    }
}

fn run(cli: Cli) -> Result<(), CliError> {
    let Cli { url, classic, common, command } = cli;
    let Some(mut command) = command else {
        return with_client(&common, url, async |client| demo::run(client, classic).await);
    };
    commands::take_from_before(&mut command, url, classic)?;
    match command {
        Command::Call(call) => {
            let mut call = PreparedCall::new(call)?;
            with_client(&common, call.url.take(), async move |client| call.run(client).await)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "msp-client", &mut script);
            output::print(&String::from_utf8_lossy(&script))
        }
        Command::Functions(query) => {
            with_client(&common, query.url, async |client| commands::functions(client, query.json).await)
        }
        Command::GenKey(options) => gen_key::run(&options),
        Command::Join(join) => join::run(&join, &common, profile::path(environment).as_deref()),
        Command::Man { dir: Some(folder), .. } => clap_mangen::generate_to(Cli::command(), folder)
            .map_err(|cause| CliError::Io { action: "write the manual pages", cause }),
        Command::Man { command, dir: None } => manual(command.as_deref()),
        Command::Ping(query) => {
            with_client(&common, query.url, async |client| commands::ping(client, query.json).await)
        }
        Command::Profile(command) => profiles::run(&command, profile::path(environment).as_deref()),
    }
}

/// Makes the client that the command line asks for and runs one command with it.
fn with_client(
    common: &Common,
    url: Option<String>,
    command: impl AsyncFnOnce(&Client) -> Result<(), CliError>,
) -> Result<(), CliError> {
    // Before the keys: a word that is no URL is no reason to look for any.
    let given = url.map(|url| url.parse::<Address>()).transpose().map_err(msp_client::ClientError::from)?;
    let url = given.map(|address| address.to_string());
    let profiles = profile::path(environment);
    let identity = keys::choose(common.profile.as_deref(), Path::new(""), profiles.as_deref())?;
    let url = identity.url(url)?;
    let mut builder = Client::builder(&url).keys(identity.keys).timeout(common.timeout);
    if let Some(ca_file) = common.cafile.clone().or(identity.ca_file) {
        builder = builder.ca_file(ca_file);
    }
    let client = builder.build()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| CliError::Io { action: "start the network", cause })?;
    runtime.block_on(command(&client))
}

fn manual(command: Option<&str>) -> Result<(), CliError> {
    let mut all = Cli::command();
    all.build();
    let page = match command {
        None => all,
        Some(name) => all
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| CliError::usage(format!("no command {name:?}; see msp-client --help")))?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(|cause| CliError::Io { action: "write the manual page", cause })?;
    output::print(&String::from_utf8_lossy(&text))
}

/// 2, but 1 where no command is named: so the original's demo client ends.
fn usage_exit_code() -> ExitCode {
    let commands = Cli::command();
    let names_command = std::env::args_os().skip(1).any(|word| commands.find_subcommand(word).is_some());
    if names_command { ExitCode::from(2) } else { ExitCode::FAILURE }
}

fn environment(name: &str) -> Option<std::ffi::OsString> {
    std::env::var_os(name)
}
