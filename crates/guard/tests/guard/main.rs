//! The memory guard from outside: a clock moved by hand, and a registry that can count, wait and fail.
#![allow(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]

mod ahead;
mod capacity;
mod failing;
mod floor;
mod model;
mod once;
mod operator;
mod racing;
mod restart;
mod support;
