//! The ways in. A door decodes, authenticates and encodes; it holds no SQL and starts no process.

pub(crate) mod bearer;
pub(crate) mod control;
pub(crate) mod ops;
pub(crate) mod plugin;
pub(crate) mod sealed;

pub use plugin::ExposedDocuments;
