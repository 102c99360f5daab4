//! A long-lived Python process, and the frames between it and the server.
//!
//! A process runs a program of ours, which takes frames from a socket and answers them. An [`Exchange`] says what is
//! sent and what the answers mean: the load of modules or plugins, their calls, their end. One loop,
//! [`exchange::run`], carries out all of them, and so keeps to all limits of length and time.

pub(super) mod exchange;
pub(super) mod frame;
pub(super) mod load;
mod python_process;
mod restart;
mod write_queue;

pub(super) use self::exchange::{Exchange, Failure, Fault, after, no_calls};
pub(super) use self::frame::CONTROL;
pub(super) use self::load::{Progress, Reports};
pub(super) use self::python_process::Process;
pub(super) use self::restart::pause;
pub(super) use self::write_queue::WriteQueue;
