//! The real programs against each other.

mod clients;
mod lifecycle;
mod start;
