//! What must survive: clients, secrets, grants, audit and freshness marks, on SQLite
