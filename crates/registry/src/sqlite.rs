//! What is SQLite's alone: its files, their locks, what each connection is told, and the steps of its schema.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use msp_core::{RegistryError, registry_file};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AnyPool, Connection as _, Executor as _, Row as _};

use crate::error::failed;

/// The schema, as steps that are taken in their order.
static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// Run on every connection. FULL makes each acknowledged change outlive a power cut.
pub(crate) const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
                                  PRAGMA busy_timeout = 10000; PRAGMA secure_delete = ON;";

/// Empties the write-ahead log.
pub(crate) async fn empty_log(pool: &AnyPool, place: &str) {
    if let Err(error) = pool.execute("PRAGMA wal_checkpoint(TRUNCATE)").await {
        tracing::debug!("{place}: the log is emptied later: {error}");
    }
}

/// Refuses links and things that are no files where SQLite or a lock would follow or change them. Another link to the
/// registry would have a lock, and so a server, of its own.
pub(crate) fn check_files(path: &Path) -> Result<(), msp_keyfile::KeyFileError> {
    ["", "-wal", "-shm", "-journal", ".lock", ".migrating"].iter().try_for_each(|ending| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        msp_keyfile::check_regular(Path::new(&name))
    })
}

/// Refuses another program's database, and what is none, before anything is changed in it or beside it.
///
/// With changes in a write-ahead log, or while another of ours may be writing the first schema, the file alone does not
/// tell: they are told apart when it is open, which leaves the file itself as it is too.
pub(crate) async fn refuse_foreign(path: &Path, place: &str) -> Result<(), RegistryError> {
    let beside = |ending: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let is_written =
        || beside(".migrating").exists() || beside("-wal").metadata().is_ok_and(|log| log.len() > 0);
    if is_written() {
        return Ok(());
    }
    let url = connection_url(path).replace("?mode=rw", "?mode=ro&immutable=true");
    let looked = async {
        let mut connection = AnyConnection::connect(&url).await.map_err(|error| failed(place, &error))?;
        schema_version(&mut connection, place).await?;
        connection.close().await.map_err(|error| failed(place, &error))
    };
    // Another of ours may have begun to write meanwhile, and what was read is half of it.
    looked.await.or_else(|refused| if is_written() { Ok(()) } else { Err(refused) })
}

pub(crate) fn path_of(url: &str) -> Result<PathBuf, RegistryError> {
    registry_file(url).map(Path::to_owned).ok_or_else(|| {
        RegistryError::Unavailable(
            url.split_once(':').map_or("the registry", |(scheme, _)| scheme).to_owned(),
            "not a place this version can keep a registry in; it would be sqlite:<path>".to_owned(),
        )
    })
}

/// The path as the database wants it, with what has a meaning in URLs written out.
pub(crate) fn connection_url(path: &Path) -> String {
    format!("{}?mode=rw", url_of(path))
}

/// The same, to read only; the files of the write-ahead log are not made for it where there is no log.
pub(crate) fn read_only_url(path: &Path, has_log: bool) -> String {
    format!("{}?{}", url_of(path), if has_log { "mode=ro" } else { "immutable=1" })
}

fn url_of(path: &Path) -> String {
    let path = path.display().to_string().replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    format!("sqlite://{path}")
}

pub(crate) fn cannot_lock(place: &str, error: &io::Error) -> RegistryError {
    RegistryError::Unavailable(place.to_owned(), format!("cannot be locked: {error}"))
}

/// A file beside the registry that holds nothing and exists to be locked.
pub(crate) fn lock_file(path: &Path, ending: &str) -> Result<File, RegistryError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    msp_keyfile::open_lock(Path::new(&name))
        .map_err(|error| RegistryError::Unavailable(path.display().to_string(), error.to_string()))
}

/// Brings the schema up to date under a file lock: SQLite's own locks do not cover first migrations that race.
pub(crate) async fn migrate(url: &str, path: &Path, place: &str) -> Result<(), RegistryError> {
    let lock = lock_file(path, "migrating")?;
    // Waiting for another process must not hold up this one's other tasks, one of which may be who holds the lock.
    let locked = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await;
    let _lock = locked.map_err(io::Error::other).flatten().map_err(|error| cannot_lock(place, &error))?;
    // One connection of its own: the pool would hide the real error behind a time-out.
    let mut connection = AnyConnection::connect(url).await.map_err(|error| failed(place, &error))?;
    let known = newest_schema();
    let found = schema_version(&mut connection, place).await?;
    if found > known {
        return Err(RegistryError::Newer { place: place.to_owned(), found, known });
    }
    connection.execute(PRAGMAS).await.map_err(|error| failed(place, &error))?;
    if found < known {
        let ran = MIGRATIONS.run_direct(None, &mut connection, false).await;
        ran.map_err(|error| RegistryError::Unavailable(place.to_owned(), error.to_string()))?;
    }
    connection.close().await.map_err(|error| failed(place, &error))
}

/// The newest step this program knows.
pub(crate) fn newest_schema() -> i64 {
    MIGRATIONS.iter().map(|step| step.version).max().unwrap_or_default()
}

/// The newest step taken; 0 in an empty database.
pub(crate) async fn schema_version(
    connection: &mut AnyConnection,
    place: &str,
) -> Result<i64, RegistryError> {
    let broken = |error: sqlx::Error| failed(place, &error);
    let tables = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'");
    let tables = tables.fetch_all(&mut *connection).await.map_err(broken)?;
    if tables.is_empty() {
        return Ok(0);
    }
    if !tables.iter().any(|row| row.try_get::<String, _>(0).is_ok_and(|name| name == "_sqlx_migrations")) {
        let why = "it is a database of another program";
        return Err(RegistryError::Corrupt(place.to_owned(), why.to_owned()));
    }
    let row =
        sqlx::query("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations").fetch_one(connection).await;
    row.and_then(|row| row.try_get(0)).map_err(broken)
}
