//! Starting what is measured, and reading what it used.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::Failure;

/// A server in a process of its own; ended when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    /// Starts a program, in `folder`, that says `serving on <address>` on standard error.
    #[expect(
        clippy::disallowed_methods,
        reason = "the bench starts what it measures; it is no part of the server"
    )]
    pub(crate) fn start(program: &Path, arguments: &[&str], folder: &Path) -> Result<Self, Failure> {
        let mut child = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        let mut lines = BufReader::new(child.stderr.take().ok_or("no standard error")?);
        let mut said = String::new();
        let address = loop {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Err(format!("{} did not start:\n{said}", program.display()).into());
            }
            if let Some((_, rest)) = line.split_once("serving on ") {
                break rest.split_whitespace().next().unwrap_or_default().parse()?;
            }
            said.push_str(&line);
        };
        // Whoever nobody listens to would block at a full pipe.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Ok(Self { child, address })
    }

    /// Processor time used so far by the process itself, in user and kernel, to 10 ms.
    pub(crate) fn cpu(&self) -> Result<Duration, Failure> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name of the program, which may hold blanks, ends with the last parenthesis; utime is field 14.
        let (_, rest) = text.rsplit_once(')').ok_or("no name in stat")?;
        let ticks =
            rest.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64))
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> Result<u64, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(id) = rustix::process::Pid::from_raw(self.child.id().cast_signed()) {
            let _gone_already = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _gone_already = self.child.wait();
    }
}

/// A program that was built beside this one.
pub(crate) fn sibling(name: &str) -> Result<PathBuf, Failure> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(format!("{}: build it first", path.display()).into()) }
}
