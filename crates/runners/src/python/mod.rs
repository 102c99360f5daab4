//! Functions in Python: [`modules`] in workers that serve any of them, [`plugin`] files in a process each. [`process`] is
//! what both run in.

mod answer;
pub mod fuzzing;
mod interpreter;
mod modules;
mod plugin;
mod process;
mod source;

pub(crate) use interpreter::Python;
pub(crate) use modules::{Demands, Listed, WorkerPools};
pub(crate) use plugin::{Changed, HostContext, Plugins, StopSignal};
