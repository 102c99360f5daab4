//! Functions, disks, clocks, peers and operators at their worst: what breaks, what goes on, and what is never lost.

mod attack;
mod clocks;
mod connections;
mod crowds;
mod functions;
mod kills;
mod namespace;
mod operator;
mod volume;
mod volumes;

use std::path::Path;

use sqlx::{Connection as _, Row as _, SqliteConnection};

/// What the database finds wrong with its file: `ok` when it is whole.
async fn integrity(registry: &Path) -> String {
    let url = format!("sqlite://{}", registry.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    row.get(0)
}
