//! `msp-server`: logging, settings, build, run.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use msp_core::clock::SystemClock;
use msp_server::{Cli, Server, ServerHandle, telemetry};
use msp_settings::Settings;
use tokio::signal::unix::{Signal, SignalKind, signal};

fn main() -> ExitCode {
    // Before anything else: this may be no server, but a process of a function that is to confine itself.
    if let Some(failed) = msp_server::run_confined() {
        return failed;
    }
    keep_private();
    msp_server::raise_file_limit();
    let cli = Cli::parse();
    let done = if cli.check_config { check(&cli) } else { start(&cli).map(|()| ExitCode::SUCCESS) };
    match done {
        Ok(code) => code,
        Err(error) => {
            if tracing::dispatcher::has_been_set() {
                tracing::error!(critical = true, "msp-server: {error}");
            } else {
                eprintln!("msp-server: {error}");
            }
            ExitCode::FAILURE
        }
    }
}

/// Files are for the server's user alone, and its memory for nobody. What functions leave behind when their
/// parent ends becomes its child, so that it can wait for their end.
fn keep_private() {
    let _old_kernel = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let _old_kernel = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _not_permitted = rustix::process::setrlimit(rustix::process::Resource::Core, none);
}

fn start(cli: &Cli) -> Result<(), Box<dyn std::error::Error>> {
    if cli.text(&mut std::io::stdout().lock())? {
        return Ok(());
    }
    let sources = cli.sources();
    let settings = Settings::load(&sources)?;
    if cli.healthcheck {
        return Ok(msp_server::healthcheck(&settings.ops)?);
    }
    let clock = Arc::new(SystemClock::start());
    telemetry::init(&settings.log, clock.clone())?;
    let metrics = telemetry::metrics();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let server = Server::build(settings, sources, clock, metrics, Path::new("/proc/self/exe")).await?;
        tokio::spawn(obey(
            server.handle(),
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::user_defined1())?,
        ));
        Ok(server.run().await?)
    })
}

fn check(cli: &Cli) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let findings = runtime.block_on(msp_server::check(&cli.sources(), Path::new("/proc/self/exe")));
    let mut text = String::new();
    if cli.json {
        text = serde_json::to_string(&findings)? + "\n";
    } else {
        findings.iter().for_each(|finding| text.extend([finding.to_string(), "\n".to_owned()]));
    }
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn obey(
    server: ServerHandle,
    mut terminate: Signal,
    mut interrupt: Signal,
    mut hangup: Signal,
    mut user: Signal,
) {
    loop {
        tokio::select! {
            _ = terminate.recv() => server.stop(),
            _ = interrupt.recv() => server.stop(),
            _ = hangup.recv() => server.reload(),
            _ = user.recv() => server.reload(),
        }
    }
}
