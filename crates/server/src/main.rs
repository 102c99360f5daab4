//! `msp-server`: logging, settings, build, run.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use msp_core::clock::SystemClock;
use msp_server::{Cli, Configuration, Server, ServerHandle, telemetry};
use msp_settings::Sources;
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
    if cli.show_settings {
        let report = Configuration::load(&sources)?.settings.report();
        return Ok(serde_json::to_writer(std::io::stdout().lock(), &report)?);
    }
    if cli.healthcheck {
        return Ok(msp_server::healthcheck(&Configuration::load(&sources)?.settings.ops)?);
    }
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        // Before anything that may take long: whoever ends a server that is starting has meant it, and process 1 of a
        // container hears no signal that it does not listen to.
        let mut signals = Signals::listen()?;
        let server = tokio::select! {
            server = build(sources) => server?,
            () = signals.stop() => return Ok(()),
        };
        tokio::spawn(signals.obey(server.handle()));
        Ok(server.run().await?)
    });
    // What functions have left is removed; a file on a mount that has gone keeps nobody from stopping.
    runtime.shutdown_timeout(LAST_WORK);
    done
}

/// How long what is still being put away may take at the end.
const LAST_WORK: Duration = Duration::from_secs(2);

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

async fn build(sources: Sources) -> Result<Server, Box<dyn std::error::Error>> {
    let read = sources.clone();
    let configuration = tokio::task::spawn_blocking(move || Configuration::load(&read)).await??;
    let clock = Arc::new(SystemClock::start());
    telemetry::init(&configuration.settings.log, clock.clone())?;
    Ok(Server::build(configuration, sources, clock, telemetry::metrics(), Path::new("/proc/self/exe"))
        .await?)
}

fn check(cli: &Cli) -> Result<ExitCode, Box<dyn std::error::Error>> {
    let findings = runtime()?.block_on(msp_server::check(&cli.sources(), Path::new("/proc/self/exe")));
    let mut text = String::new();
    if cli.json {
        text = serde_json::to_string(&findings)? + "\n";
    } else {
        findings.iter().for_each(|finding| text.extend([finding.to_string(), "\n".to_owned()]));
    }
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What an operator tells the server by signals; those that come before it listens here end it, as in any program.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user: signal(SignalKind::user_defined1())?,
        })
    }

    /// Waits for one that stops the server.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }

    async fn obey(mut self, server: ServerHandle) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => server.stop(),
                _ = self.interrupt.recv() => server.stop(),
                _ = self.hangup.recv() => server.reload(),
                _ = self.user.recv() => server.reload(),
            }
        }
    }
}
