//! What is to hold for one process, as it travels to the process that confines itself.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::user::WorkerUser;

/// The first argument of a program of ours that is to become a confined one; the plan and the program follow.
pub(super) const SUBCOMMAND: &str = "run-confined";

/// What is to hold for one process. It holds no secret: other processes can read arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// The server; the process ends with it.
    pub(super) parent: i32,
    /// What the program does not run without.
    pub(super) required: Required,
    /// Whose process it becomes; none: it stays the server's.
    pub(super) user: Option<WorkerUser>,
    /// The limit of its heap and stacks, in bytes.
    pub(super) memory: u64,
    /// How many processes its user may have; none: the user is root, whom the kernel does not count.
    pub(super) processes: Option<u64>,
    /// The control group that it joins.
    pub(super) cgroup: Option<PathBuf>,
    /// Whether it becomes the parent of orphans among what it starts.
    pub(super) subreaper: bool,
    /// Whether it may use the network.
    pub(super) network: bool,
    /// Files and folders of the system that may be read, beside its programs.
    pub(super) lookup_files: Vec<PathBuf>,
    /// Files and folders that may be read and run; like those below by paths without links.
    pub(super) readable: Vec<PathBuf>,
    /// Files and folders that may be changed too.
    pub(super) writable: Vec<PathBuf>,
}

/// What a process must have in force, or else not become the program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Required {
    pub(super) landlock: bool,
    pub(super) seccomp: bool,
}

/// What a process has in force once it has confined itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Enforced {
    /// The version of Landlock's interface; 0: the kernel has none, or it is switched off.
    pub(super) landlock: i32,
    /// Whether system calls are filtered.
    pub(super) seccomp: bool,
}
