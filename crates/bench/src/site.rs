//! A server to measure, in a folder of its own with its clients registered.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use msp_core::clock::Clock;
use msp_protocol::PublicKey;

use crate::process::{Process, sibling};
use crate::{Failure, population};

/// What a server is to be.
#[derive(Debug, Clone)]
pub(crate) struct Plan<'a> {
    /// Registered clients.
    pub(crate) clients: usize,
    /// Whether the classic search tries their keys.
    pub(crate) classic: bool,
    /// config.ini; keys and listeners are added.
    pub(crate) config: &'a str,
    /// The lines of modules.ini below `[Modules]`.
    pub(crate) modules: &'a str,
}

/// Holds the run of every row: one client may fill the guard, and the guard is large.
pub(crate) const WIDE_GUARD: &str = "[Guard]\nMaxEntries=100000000\nCallerShare=1\n";
/// What a line of each call costs has a row of its own.
pub(crate) const NO_LINES: &str = "[Log]\nAccess=off\n";
/// Addresses of clients are said by the generator.
pub(crate) const ONE_PROXY: &str = "[Proxy]\nForwardFor=1\n";

/// A running server.
pub(crate) struct Site {
    pub(crate) process: Process,
    pub(crate) key: PublicKey,
}

impl Site {
    /// Registers what is missing and starts the server.
    pub(crate) async fn start(work: &Path, plan: &Plan<'_>, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let folder = prepare(work, plan, clock.clone()).await?;
        next_second(&*clock).await;
        Self::start_in(&folder)
    }

    /// Starts the server in a folder that [`prepare`] has filled.
    pub(crate) fn start_in(folder: &Path) -> Result<Self, Failure> {
        Self::start_of(&sibling("msp-server")?, folder)
    }

    /// As [`Site::start_in`], with this msp-server.
    pub(crate) fn start_of(program: &Path, folder: &Path) -> Result<Self, Failure> {
        let key = population::server_key(&folder.join("sec"))?;
        Ok(Self { process: Process::start(program, &["--port", "0"], folder)?, key })
    }
}

/// Waits for the next second: a server refuses the times that it accepted before its start.
pub(crate) async fn next_second(clock: &dyn Clock) {
    let now = clock.unix();
    while clock.unix() == now {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Fills the folder of a server with this many clients, once; its configuration is written anew.
#[expect(clippy::disallowed_methods, reason = "the files of a server under test hold nothing private")]
pub(crate) async fn prepare(work: &Path, plan: &Plan<'_>, clock: Arc<dyn Clock>) -> Result<PathBuf, Failure> {
    let kind = if plan.classic { "classic" } else { "envelope" };
    let folder = work.join(format!("{kind}-{}", plan.clients));
    for inner in ["config", "modules"] {
        std::fs::create_dir_all(folder.join(inner))?;
    }
    std::fs::write(folder.join("config/config.ini"), format!("[Ops]\nport=0\n{}", plan.config))?;
    std::fs::write(folder.join("config/modules.ini"), format!("[Modules]\n{}", plan.modules))?;
    std::fs::write(folder.join("modules/clock.py"), CLOCK)?;
    std::fs::write(folder.join("modules/slow.py"), SLOW)?;
    population::server_key(&folder.join("sec"))?;
    population::register(&folder.join("sec"), plan.clients, plan.classic, clock).await?;
    Ok(folder)
}

/// The demo function in Python; `time_test=clock`.
const CLOCK: &str =
    "import time\n\n\ndef entry_call():\n    return f'It is currently: \\n\\t{time.ctime()}'\n";
/// A function that sleeps for 20 ms.
const SLOW: &str = "import time\n\n\ndef entry_call():\n    time.sleep(0.02)\n    return 'slept'\n";
