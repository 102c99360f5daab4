//! Python modules in pools of workers.
//!
//! A *generation* is a set of module sources that loaded together. Each worker of it loads all of them,
//! answers calls over a socket, and is replaced by another with the same sources when it dies: a file that
//! was broken meanwhile cannot reach it. Changed files make a new generation, which takes over once it has
//! loaded.
//!
//! Functions with the same [`Demands`] share a pool of workers; each other set has a pool of its own.

mod config;
mod generation;
mod loading;
mod pool;
mod runner;
pub(super) mod serving;
mod worker;
mod worker_pools;

pub(crate) use config::Demands;
pub(crate) use loading::Listed;
pub(crate) use worker_pools::WorkerPools;
