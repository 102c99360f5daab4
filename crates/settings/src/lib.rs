//! The operator's configuration: config.ini, modules.ini, environment, checked once at the door
