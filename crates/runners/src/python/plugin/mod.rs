//! Plugins: Python files with classes that answer requests, each file in a long-lived process of its own.
//!
//! A *host* is the process of one file. It constructs the file's plugins on one asyncio loop, where their state and
//! their background tasks live until they are retired. A reload starts a second host; when its plugins are there, the
//! catalogue is replaced, and the first one ends once it has answered all that it was asked.

mod accept;
mod file;
mod host;
mod plugins;
mod runner;
mod running_file;
mod serving;
mod stop_signal;
mod supervisor;
mod wire;

pub(crate) use self::host::HostContext;
pub(crate) use self::plugins::{Changed, Plugins};
pub(crate) use self::stop_signal::StopSignal;
