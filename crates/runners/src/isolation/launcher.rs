//! The process's own side: it confines itself, step by step, then becomes the program.
//!
//! All of it runs before any thread, runtime or signal handler exists. Each step can only take away, and what one
//! step needs stands before the step that takes it away.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use super::plan::{Enforced, Plan, SUBCOMMAND};
use super::{cgroups, files, syscalls};

/// Why a process does not become the program; one line for the log.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("its orders are unreadable: {0}")]
    Orders(String),
    #[error("the server has gone")]
    Orphaned,
    #[error("{0} cannot be had: {1}")]
    Step(&'static str, String),
    #[error("{0} cannot be started: {1}")]
    Program(String, io::Error),
}

/// Becomes the confined program when the command line asks for it; to be called first of all in `main`.
///
/// Returns none when it does not ask. Otherwise it returns only when it failed, with the exit code.
#[must_use]
pub fn run_confined() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != SUBCOMMAND {
        return None;
    }
    match run(arguments) {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(failure) => {
            eprintln!("{failure}");
            Some(ExitCode::from(126))
        }
    }
}

/// Without a program, prints what is in force and ends.
#[expect(clippy::disallowed_methods, reason = "this process becomes the program that spawn has started")]
fn run(mut arguments: impl Iterator<Item = OsString>) -> Result<(), Failure> {
    let plan = arguments.next().unwrap_or_default();
    let plan: Plan = serde_json::from_slice(plan.as_encoded_bytes())
        .map_err(|error| Failure::Orders(error.to_string()))?;
    let program = arguments.next();
    let enforced = confine(&plan)?;
    let Some(program) = program else {
        let told = serde_json::to_string(&enforced).map_err(|error| Failure::Orders(error.to_string()))?;
        println!("{told}");
        return Ok(());
    };
    let error = Command::new(&program).args(arguments).exec();
    Err(Failure::Program(program.display().to_string(), error))
}

fn confine(plan: &Plan) -> Result<Enforced, Failure> {
    let step = |name| move |error: &dyn std::fmt::Display| Failure::Step(name, error.to_string());
    raise_oom_score();
    if let Some(group) = &plan.cgroup {
        cgroups::join(group).map_err(|error| step("its control group")(&error))?;
    }
    if plan.subreaper {
        // Where it cannot be set, orphans become the server's.
        let _old_kernel = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
    if let Some(user) = &plan.user {
        user.switch_to().map_err(|error| step("[Runners] WorkerUser")(&error))?;
    }
    rustix::thread::set_no_new_privs(true).map_err(|error| step("no new privileges")(&error))?;
    die_with_parent(plan.parent)?;
    limit(plan).map_err(|error| step("a resource limit")(&error))?;
    drop_capabilities().map_err(|error| step("a process without capabilities")(&error))?;
    // Only marked, not closed: the standard library still owns some of them.
    close_fds::set_fds_cloexec(3, &[]);
    let landlock = files::restrict(plan).map_err(|error| step("Landlock")(&error));
    let seccomp = syscalls::filter(plan.network).map_err(|error| step("the filter of system calls")(&error));
    let enforced =
        Enforced { landlock: landlock.as_ref().copied().unwrap_or_default(), seccomp: seccomp.is_ok() };
    if plan.required.seccomp {
        seccomp?;
    }
    if plan.required.landlock && landlock? == 0 {
        return Err(step("Landlock")(&"this kernel has none, or it is switched off"));
    }
    Ok(enforced)
}

/// When memory runs out the kernel is to end functions before the server. Where it cannot be set, it stays.
fn raise_oom_score() {
    let file = rustix::fs::open("/proc/self/oom_score_adj", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
    if let Ok(file) = file {
        let _stays = rustix::io::write(file, b"500");
    }
}

/// Has the kernel end this process with the server's thread that started it, which lives as long as the server.
fn die_with_parent(parent: i32) -> Result<(), Failure> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| Failure::Step("an end with the server", error.to_string()))?;
    let now = rustix::process::getppid().map(|id| id.as_raw_nonzero().get());
    if now == Some(parent) { Ok(()) } else { Err(Failure::Orphaned) }
}

fn limit(plan: &Plan) -> rustix::io::Result<()> {
    let limits = [
        (Resource::Core, Some(0)),
        (Resource::Data, Some(plan.memory)),
        (Resource::Fsize, Some(LARGEST_FILE)),
        (Resource::Nofile, Some(OPEN_FILES)),
        (Resource::Nproc, plan.processes),
    ];
    for (resource, limit) in limits {
        let Some(limit) = limit else { continue };
        // What the server itself may not exceed stays as it is.
        let most = rustix::process::getrlimit(resource).maximum.map_or(limit, |most| most.min(limit));
        rustix::process::setrlimit(resource, Rlimit { current: Some(most), maximum: Some(most) })?;
    }
    // The least of it stays: threads take their stacks' size from it.
    let stack = rustix::process::getrlimit(Resource::Stack);
    let most = stack.maximum.map_or(LARGEST_STACK, |most| most.min(LARGEST_STACK));
    let current = stack.current.map_or(most, |current| current.min(most));
    rustix::process::setrlimit(Resource::Stack, Rlimit { current: Some(current), maximum: Some(most) })
}

/// A process of root's keeps none either: with no new privileges, what is given up here does not come back.
fn drop_capabilities() -> rustix::io::Result<()> {
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets { effective: none, permitted: none, inheritable: none },
    )
}

/// The largest file a function may write, in bytes.
const LARGEST_FILE: u64 = 256 * 1024 * 1024;
/// The largest stack, in bytes; what else a process holds in memory is counted as its data.
const LARGEST_STACK: u64 = 64 * 1024 * 1024;
/// Descriptors one process of a function may have.
const OPEN_FILES: u64 = 4096;
