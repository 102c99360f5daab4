//! What keeps a function to itself: every process that runs one confines itself before it becomes its program.
//!
//! The server starts a program of ours (itself) with a [`Plan`]; that process takes everything away from itself
//! that the plan does not leave it, and then becomes the program. So no code of a function ever runs without, and
//! nothing of it needs the server's rights.

mod cgroups;
mod files;
mod launcher;
mod path_table;
mod plan;
mod processes;
mod report;
mod scratch;
mod stale_processes;
mod syscalls;
mod user;

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use msp_core::ConfinementSpec;
use msp_core::clock::Clock;

pub use cgroups::own_control_group;
pub use launcher::run_confined;
pub use report::IsolationReport;

use self::cgroups::{Cgroup, Cgroups};
pub(crate) use self::files::resolved;
use self::path_table::PathTable;
use self::plan::{Enforced, Plan, Required, SUBCOMMAND};
use self::processes::Processes;
use self::scratch::{PrivateFolder, Scratch};
use self::user::WorkerUser;
use crate::spawn::{self, Group, GroupResources, Launch};

/// How the processes that run functions are to be confined.
#[derive(Debug, Clone)]
pub struct IsolationConfig {
    /// A program whose `main` begins with [`run_confined`]; the server is one.
    pub launcher: PathBuf,
    /// Whether functions run only when they can be confined; none: where the kernel has what it takes.
    pub require: Option<bool>,
    /// The user they run as, by name or number; none: the server's own.
    pub user: Option<String>,
    /// A folder of ours alone for their temporary files; it is made, and emptied.
    pub scratch: PathBuf,
    /// Files and folders that no function may reach.
    pub private: Vec<PathBuf>,
    /// The control group in which each process gets one of its own, or why there is none.
    pub control_group: Result<PathBuf, String>,
}

/// Why functions cannot be confined as asked; one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum IsolationError {
    /// What every function may read holds what none may.
    #[error("{place}: {exposed}")]
    Exposed {
        /// The setting.
        place: &'static str,
        /// The paths.
        exposed: Exposed,
    },
    /// The process that confines itself did not come about.
    #[error("[Runners] Isolation: {launcher} cannot start a confined process: {why}")]
    Launcher {
        /// The program.
        launcher: String,
        /// What happened.
        why: String,
    },
    /// The user is the server's own, or root.
    #[error(
        "[Runners] WorkerUser: {0} is root or the server's own user; name another one, or leave it empty"
    )]
    NoOtherUser(String),
    /// Only root can start another user's processes.
    #[error(
        "[Runners] WorkerUser: only root can run functions as {0}; start the server as root, or leave it empty"
    )]
    NotRoot(String),
    /// The kernel lacks what was asked for.
    #[error("[Runners] Isolation=require: {0}; Isolation=warn starts without")]
    Required(String),
    /// There can be no folder for temporary files.
    #[error("{0}: functions need this folder for temporary files: {1}")]
    Scratch(String, io::Error),
    /// There is no such user.
    #[error("[Runners] WorkerUser: /etc/passwd has no user {0}; name one of it, or a number")]
    UnknownUser(String),
}

/// A path that a function was to reach, and the private one that it would lay open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "functions may read {path}, which holds or lies in {private}, which none may reach; move one of them"
)]
pub struct Exposed {
    path: String,
    private: String,
}

/// What all confined processes have in common.
#[derive(Debug)]
pub(crate) struct Isolation {
    launcher: PathBuf,
    require: bool,
    user: Option<WorkerUser>,
    scratch: Arc<Scratch>,
    paths: PathTable,
    /// Where each process gets a control group, or why there are none.
    cgroups: Result<Cgroups, String>,
    lookup_files: Vec<PathBuf>,
    processes: Processes,
    enforced: Enforced,
}

impl Isolation {
    /// Finds out, in a process like those that will run functions, what can be had; in front of all, with this search
    /// path.
    pub(crate) async fn start(
        config: IsolationConfig,
        search_path: Vec<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, IsolationError> {
        let user = config.user.as_deref().map(WorkerUser::find).transpose()?;
        let place = resolved(&config.scratch);
        let left = tokio::task::spawn_blocking(move || stale_processes::kill_all(&place, user)).await;
        if let Ok(left @ 1..) = left {
            tracing::warn!("ended {left} processes of functions that a killed server has left");
        }
        let scratch = Scratch::claim(config.scratch.clone(), user)
            .map_err(|error| IsolationError::Scratch(config.scratch.display().to_string(), error))?;
        let name = scratch.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let cgroups = config.control_group.and_then(|folder| {
            let failed = |error| format!("{}: {error}", folder.display());
            Cgroups::claim(folder.clone(), &name).map_err(failed)
        });
        let private = config.private.into_iter().chain([scratch.path().to_owned()]).collect();
        let mut isolation = Self {
            launcher: config.launcher,
            require: false,
            user,
            paths: PathTable::new(search_path, private),
            cgroups,
            scratch,
            processes: Processes::of(user, clock),
            lookup_files: files::existing_lookup_files(),
            enforced: Enforced::default(),
        };
        let system: Vec<_> = files::system_paths().map(resolved).collect();
        for (place, paths) in
            [("[Runners] SearchPath", &*isolation.folders()), ("what programs need", &system)]
        {
            if let Some(exposed) = isolation.paths.exposed(paths) {
                return Err(IsolationError::Exposed { place, exposed });
            }
        }
        isolation.enforced = isolation.probe().await?;
        let lacking = report::lacking(&isolation.enforced);
        isolation.require = config.require.unwrap_or(lacking.is_none());
        match lacking {
            Some(lacking) if isolation.require => Err(IsolationError::Required(lacking.to_owned())),
            _ => Ok(isolation),
        }
    }

    /// The folders of the search path, without links.
    pub(crate) fn folders(&self) -> Arc<[PathBuf]> {
        self.paths.folders()
    }

    /// Follows the links of the search path again, and of all that functions were given at a reload. Gives how often one
    /// has come to lead elsewhere since the start: what was started before reads the wrong files.
    pub(crate) fn follow(&self, reload: bool) -> u64 {
        self.paths.follow(reload)
    }

    /// The files of the system as they are now. A rule holds for a file, not for its name: a process that started
    /// before one was replaced cannot read the new one.
    pub(crate) fn system_files(&self) -> Vec<Option<(u64, u64)>> {
        let identity = |found: std::fs::Metadata| (found.dev(), found.ino());
        let file = |path: &PathBuf| path.metadata().ok().filter(|found| found.is_file()).map(identity);
        self.lookup_files.iter().map(file).collect()
    }

    /// What holds for a process that may reach this, and read `roots`, which have no links, beside the search path.
    ///
    /// # Errors
    /// The paths, when that would lay open what no function may reach.
    pub(crate) fn confinement(
        self: &Arc<Self>,
        memory: u64,
        confinement: &ConfinementSpec,
        roots: &[PathBuf],
    ) -> Result<Confinement, Exposed> {
        let of = |writable: bool| {
            let paths = confinement.paths.iter().filter(move |path| path.writable == writable);
            paths.map(|path| self.paths.granted(&path.path, path.writable))
        };
        let readable: Vec<_> = self.folders().iter().chain(roots).cloned().chain(of(false)).collect();
        let writable: Vec<_> = of(true).collect();
        // From here on nobody else can make it; a start of a process fails when it could not be made.
        let _reported_later = self.scratch.create_folder();
        if let Some(exposed) = self.paths.exposed(readable.iter().chain(&writable)) {
            return Err(exposed);
        }
        let required = Required {
            landlock: self.require || self.enforced.landlock > 0,
            seccomp: self.require || self.enforced.seccomp,
        };
        let plan = Plan {
            parent: std::process::id().cast_signed(),
            required,
            user: self.user,
            memory,
            processes: None,
            cgroup: None,
            subreaper: false,
            network: confinement.network,
            lookup_files: self.lookup_files.clone(),
            readable,
            writable,
        };
        Ok(Confinement { plan, isolation: self.clone() })
    }

    /// Starts a confined process that runs nothing, and reads its report of what is in force.
    async fn probe(&self) -> Result<Enforced, IsolationError> {
        let failed =
            |why: String| IsolationError::Launcher { launcher: self.launcher.display().to_string(), why };
        let plan = Plan { parent: std::process::id().cast_signed(), user: self.user, ..Plan::default() };
        let plan = Plan { memory: u64::MAX, ..plan };
        let plan = encoded(&plan).map_err(|error| failed(error.to_string()))?;
        let told = spawn::output(&self.launcher, &[SUBCOMMAND.as_ref(), &plan]).await;
        let told = told.map_err(failed)?;
        serde_json::from_slice(&told).map_err(|error| failed(format!("it answered no report: {error}")))
    }
}

/// What holds for the processes of one function, or of the workers that several share.
#[derive(Debug, Clone)]
pub(crate) struct Confinement {
    plan: Plan,
    isolation: Arc<Isolation>,
}

impl Confinement {
    /// The same for processes that become the parents of orphans among what they start, and end them.
    pub(crate) fn with_subreaper(mut self) -> Self {
        self.plan.subreaper = true;
        self
    }

    /// Starts a process that confines itself before it becomes its program.
    ///
    /// # Errors
    /// What the system says when the process cannot be started; why it does not become the program, it prints.
    pub(crate) fn start(&self, launch: Launch<'_>) -> io::Result<Group> {
        let folder = self.isolation.scratch.folder()?;
        let mut plan = self.plan.clone();
        let cgroup = match &self.isolation.cgroups {
            Ok(all) => Some(all.group(plan.memory)?),
            Err(_) => None,
        };
        plan.cgroup = cgroup.as_ref().map(|cgroup| cgroup.path().to_owned());
        // The kernel counts all processes of a user, so in this way one function's would count for another.
        plan.processes = if cgroup.is_none() { self.isolation.processes.limit() } else { None };
        plan.writable.push(folder.path().to_owned());
        let (arguments, home) = ([SUBCOMMAND.into(), encoded(&plan)?], folder.path().to_owned());
        let resources = ProcessResources { cgroup, _folder: folder };
        launch.start_with(&self.isolation.launcher, &arguments, &home, Box::new(resources))
    }
}

/// What one process has of its own, with all that it starts.
#[derive(Debug)]
struct ProcessResources {
    /// Dropped first: a process that uses the folder ends before the folder is removed.
    cgroup: Option<Cgroup>,
    _folder: PrivateFolder,
}

impl GroupResources for ProcessResources {
    fn kill(&self) {
        self.cgroup.iter().for_each(Cgroup::kill);
    }
}

fn encoded(plan: &Plan) -> io::Result<OsString> {
    Ok(serde_json::to_string(plan)?.into())
}

#[cfg(test)]
impl Isolation {
    /// One for tests that start no process.
    pub(crate) fn idle() -> Arc<Self> {
        let folder = tempfile::tempdir().unwrap();
        Arc::new(Self {
            launcher: PathBuf::new(),
            require: true,
            user: None,
            scratch: Scratch::claim(folder.path().join("scratch"), None).unwrap(),
            paths: PathTable::new(Vec::new(), Vec::new()),
            cgroups: Err(String::new()),
            lookup_files: Vec::new(),
            processes: Processes::of(None, Arc::new(msp_core::clock::SystemClock::start())),
            enforced: Enforced::default(),
        })
    }
}
