//! The ways in. A door decodes, authenticates and encodes; it holds no SQL and starts no process.

pub(crate) mod control;
pub(crate) mod ops;
