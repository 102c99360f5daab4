//! Functions that try to get what they must not get.

mod attempts;
mod lifetime;
mod limits;
mod running_server;
mod settings;
