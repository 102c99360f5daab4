//! The only place where a process starts.
//!
//! Everything that runs a function in a process describes it as a [`Launch`]; whatever is to hold for all of
//! them (environment, process group) is said here and nowhere else. [`crate::isolation`] starts them, confined.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};
use tokio::io::AsyncReadExt;
use tokio::io::unix::AsyncFd;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::children::{self, Awaited};

/// A process that is to start: what it is, where, and with what beside the scrubbed environment.
///
/// It gets no descriptor but its three standard ones.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// The program; without `/` it is looked up in PATH.
    pub(crate) program: &'a Path,
    /// Its arguments.
    pub(crate) arguments: &'a [&'a OsStr],
    /// Its working folder.
    pub(crate) folder: &'a Path,
    /// Variables added to the scrubbed environment.
    pub(crate) variables: &'a [(&'a str, &'a OsStr)],
    /// Its standard input; none gives a pipe. Standard output and error are always pipes.
    pub(crate) input: Option<OwnedFd>,
}

/// What a process group has of its own; it is given back when this is dropped, which may take its time.
pub(crate) trait GroupResources: std::fmt::Debug + Send + Sync {
    /// Ends every process that uses it.
    fn kill(&self);
}

impl Launch<'_> {
    /// Starts the launcher as the leader of a group of its own; after its `arguments` it is given the program, and
    /// becomes that. `home` is for the home folder and temporary files.
    ///
    /// # Errors
    /// What the system says when the launcher cannot be started.
    pub(crate) fn start_with(
        self,
        launcher: &Path,
        arguments: &[OsString],
        home: &Path,
        resources: Box<dyn GroupResources>,
    ) -> io::Result<Group> {
        let mut command = command(launcher);
        command
            .args(arguments)
            .arg(self.program)
            .args(self.arguments)
            .current_dir(self.folder)
            .env("HOME", home)
            .env("TMPDIR", home)
            .envs(self.variables.iter().copied())
            .stdin(self.input.map_or_else(Stdio::piped, Stdio::from));
        Group::start(&mut command, Some(resources))
    }
}

/// What a program of the machine's prints that runs no code of a function.
///
/// # Errors
/// What went wrong, for people.
pub(crate) async fn output(program: &Path, arguments: &[&OsStr]) -> Result<Vec<u8>, String> {
    let run = async {
        let mut group = Group::start(command(program).args(arguments).stdin(Stdio::null()), None)?;
        let (_, stdout, stderr) = group.pipes();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let (mut stdout, mut stderr) = stdout.zip(stderr).ok_or(io::ErrorKind::BrokenPipe)?;
        tokio::try_join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err))?;
        Ok::<_, io::Error>((group.end().await?, out, err))
    };
    match timeout(TIME_LIMIT, run).await {
        Err(_) => Err(format!("it took longer than {} s", TIME_LIMIT.as_secs())),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok((status, out, _))) if status.success() => Ok(out),
        Ok(Ok((status, _, err))) => {
            Err(format!("{status}: {}", String::from_utf8_lossy(&err).trim().escape_debug()))
        }
    }
}

/// How long such a program may take.
const TIME_LIMIT: Duration = Duration::from_secs(20);

#[expect(clippy::disallowed_methods, reason = "this is the one place")]
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(scrubbed(std::env::vars_os()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}

/// The leader of a process group with everything it has started; all of it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    id: Pid,
    /// Becomes readable when the leader has exited, without reaping it: so its number, which is the group's,
    /// is not given to another process before the group has been killed.
    exit: AsyncFd<OwnedFd>,
    resources: Option<Box<dyn GroupResources>>,
    _awaited: Awaited,
}

impl Group {
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for types that lie about their descriptor; OwnedFd never does"
    )]
    fn start(command: &mut Command, resources: Option<Box<dyn GroupResources>>) -> io::Result<Self> {
        let (child, _awaited) = children::spawn(command)?;
        let id = child.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or(io::ErrorKind::NotFound)?;
        let exit = AsyncFd::new(pidfd_open(id, PidfdFlags::empty())?)?;
        Ok(Self { child, id, exit, resources, _awaited })
    }

    /// Standard input, output and error, as far as they are pipes and not taken yet.
    pub(crate) fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    /// Waits until the leader has exited.
    pub(crate) async fn exited(&self) {
        // An error means that the runtime is shutting down; then the process is as good as gone.
        let _ready = self.exit.readable().await;
    }

    /// Kills what is left of the group, at once.
    pub(crate) fn kill(&self) {
        if self.child.id().is_some() {
            // Fails only when nothing is left to kill.
            let _gone = kill_process_group(self.id, Signal::KILL);
            self.resources.iter().for_each(|resources| resources.kill());
        }
    }

    /// Kills what is left of the group and says how the leader ended. Its resources are given back in the background.
    pub(crate) async fn end(mut self) -> io::Result<ExitStatus> {
        self.kill();
        let status = self.child.wait().await;
        let (id, resources) = (self.id, self.resources.take());
        tokio::task::spawn_blocking(move || {
            reap(id);
            drop(resources);
        });
        status
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
        if self.resources.is_some() {
            // Dropped while it runs, which is when all is stopped: nobody else will do it.
            reap(self.id);
        }
    }
}

/// Waits for the members of a killed group that have become the server's own children, so that no number stays
/// taken, and so that nothing writes any more. Returns at once where the server is not who inherits orphans.
fn reap(group: Pid) {
    while let Ok(Some(_)) = waitid(WaitId::Pgid(Some(group)), WaitIdOptions::EXITED) {}
}

/// What is left of the server's environment: where programs are, language and time zone.
fn scrubbed(all: impl Iterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let mut kept: Vec<_> = all.filter(|(name, _)| is_harmless(name)).collect();
    if !kept.iter().any(|(name, _)| name == "PATH") {
        kept.push(("PATH".into(), "/usr/local/bin:/usr/bin:/bin".into()));
    }
    kept
}

fn is_harmless(name: &OsStr) -> bool {
    ["PATH", "LANG", "TZ"].iter().any(|kept| name == *kept)
        || name.to_str().is_some_and(|name| name.starts_with("LC_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_keeps_path_language_and_time_zone_only() {
        let all = [
            ("PATH", "/bin"),
            ("LANG", "C.UTF-8"),
            ("LC_TIME", "C"),
            ("TZ", "UTC"),
            ("MSP_CONFIG_PATH", "secret"),
            ("HOME", "/root"),
            ("LD_PRELOAD", "x.so"),
            ("PYTHONPATH", "/x"),
        ];
        let kept = scrubbed(all.into_iter().map(|(name, value)| (name.into(), value.into())));
        let names: Vec<_> = kept.iter().map(|(name, _)| name.to_str().unwrap()).collect();
        assert_eq!(names, ["PATH", "LANG", "LC_TIME", "TZ"]);
    }

    #[test]
    fn a_missing_path_is_replaced_by_the_usual_folders() {
        let kept = scrubbed(std::iter::empty());
        assert!(kept.iter().any(|(name, value)| name == "PATH" && value == "/usr/local/bin:/usr/bin:/bin"));
    }
}
