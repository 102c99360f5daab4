//! Opening the registry: the file, its schema, and the lock of its one server.

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Once};

use msp_core::clock::Clock;
use msp_core::{AuditEvent, RegistryError};
use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, Connection as _, Executor as _, Row as _, Transaction};
use tokio::sync::{Mutex, MutexGuard};

use crate::changes::Touched;
use crate::error::failed;
use crate::sqlite::{
    PRAGMAS, cannot_lock, check_files, connection_url, lock_file, migrate, path_of, refuse_foreign,
};

/// Connections of one process; reading is rare, writing goes one by one.
const CONNECTIONS: u32 = 4;

/// Changes that are told one by one; a server that is further behind reads everything.
const KEPT_CHANGES: i64 = 10_000;
const TRIM: &str = "DELETE FROM changes WHERE number <= $1";

/// The registry in an SQL database; cheap to clone.
#[derive(Debug, Clone)]
pub struct SqlRegistry {
    pub(crate) pool: AnyPool,
    pub(crate) clock: Arc<dyn Clock>,
    path: Arc<Path>,
    /// Its text form, for errors.
    place: Arc<str>,
    /// Writers of this process wait here and not in the database.
    writing: Arc<Mutex<()>>,
}

/// Says that this process serves the registry; given back when dropped, or when the process dies.
#[derive(Debug)]
pub struct ServerLock {
    _file: File,
}

/// A change under way: committed as a whole or not at all.
pub(crate) struct Change<'a> {
    pub(crate) tx: Transaction<'static, Any>,
    _turn: MutexGuard<'a, ()>,
}

impl SqlRegistry {
    /// Opens the registry at `sqlite:<path>`, makes it when there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`] for another kind of URL, a missing folder or a file that cannot be written,
    /// [`RegistryError::Corrupt`], [`RegistryError::Newer`].
    pub async fn open(url: &str, clock: Arc<dyn Clock>) -> Result<Self, RegistryError> {
        let path = path_of(url)?;
        match msp_keyfile::create_private(&path) {
            Err(error) if path.symlink_metadata().is_err() => {
                Err(RegistryError::Unavailable(path.display().to_string(), error.to_string()))
            }
            _ => Self::open_existing(url, clock).await,
        }
    }

    /// Closes its connections, and with the last of them SQLite's `-wal` and `-shm` files. Those of one that
    /// is only dropped go some time afterwards, or stay when the process ends before.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// Opens a registry that must exist.
    ///
    /// # Errors
    /// As [`SqlRegistry::open`]; [`RegistryError::Unavailable`] names a missing file.
    pub async fn open_existing(url: &str, clock: Arc<dyn Clock>) -> Result<Self, RegistryError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let path = path_of(url)?;
        let place = path.display().to_string();
        check_files(&path).map_err(|error| RegistryError::Unavailable(place.clone(), error.to_string()))?;
        if !path.is_file() {
            let why = "there is no such file; start msp-server once, or name another in [Registry] Url";
            return Err(RegistryError::Unavailable(place, why.to_owned()));
        }
        refuse_foreign(&path, &place).await?;
        let url = connection_url(&path);
        migrate(&url, &path, &place).await?;
        let options = AnyPoolOptions::new().max_connections(CONNECTIONS).after_connect(|connection, _| {
            Box::pin(async move {
                connection.execute(PRAGMAS).await?;
                Ok(())
            })
        });
        // A full disk has SQLite end a transaction by itself, and the connection counts it as open for ever.
        let options = options.before_acquire(|connection, _| {
            Box::pin(std::future::ready(Ok(!connection.is_in_transaction())))
        });
        let pool = options.connect(&url).await.map_err(|error| failed(&place, &error))?;
        Ok(Self { pool, clock, path: path.into(), place: place.into(), writing: Arc::default() })
    }

    /// Where the registry is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Claims the registry for this server; a second server would not see what the first has accepted.
    ///
    /// # Errors
    /// [`RegistryError::InUse`] while another process holds it.
    pub fn lock_for_server(&self) -> Result<ServerLock, RegistryError> {
        let file = lock_file(&self.path, "lock")?;
        match file.try_lock() {
            Ok(()) => Ok(ServerLock { _file: file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(RegistryError::InUse(self.place.to_string())),
            Err(std::fs::TryLockError::Error(error)) => Err(cannot_lock(&self.place, &error)),
        }
    }

    /// Begins a change; the database gives the write lock at once, so that nothing read in it can be outdated.
    pub(crate) async fn change(&self) -> Result<Change<'_>, RegistryError> {
        let turn = self.writing.lock().await;
        let tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failed(error))?;
        Ok(Change { tx, _turn: turn })
    }

    /// Ends a change of what servers follow: raises the generation, says what to read again, leaves the audit line, commits.
    pub(crate) async fn commit(
        &self,
        mut change: Change<'_>,
        touched: Touched,
        event: AuditEvent,
    ) -> Result<(), RegistryError> {
        self.audit_in(&mut change, event).await?;
        let raised = "UPDATE meta SET value = value + 1 WHERE name = 'generation' RETURNING value";
        let row = sqlx::query(raised).fetch_one(&mut *change.tx).await;
        let number: i64 = row.and_then(|row| row.try_get("value")).map_err(|error| self.failed(error))?;
        let (forgotten, digest) = match touched {
            Touched::Everything => ("DELETE FROM changes WHERE number <= $1", None),
            Touched::Principal(digest) => (TRIM, Some(digest.as_bytes().to_vec())),
            // One row stands for all of them, so that nothing tells the order in which they came.
            Touched::Unlinked => ("DELETE FROM changes WHERE number <= $1 AND digest IS NULL", None),
        };
        let from = match touched {
            Touched::Everything => number,
            Touched::Principal(_) => number.saturating_sub(KEPT_CHANGES),
            Touched::Unlinked => 0,
        };
        let until = if matches!(touched, Touched::Principal(_)) { from } else { number };
        let statements = [
            sqlx::query(forgotten).bind(until),
            sqlx::query("UPDATE meta SET value = MAX(value, $1) WHERE name = 'changes_from'").bind(from),
            sqlx::query("INSERT INTO changes (number, digest) VALUES ($1, $2)").bind(number).bind(digest),
        ];
        for statement in statements {
            statement.execute(&mut *change.tx).await.map_err(|error| self.failed(error))?;
        }
        change.tx.commit().await.map_err(|error| self.failed(error))
    }

    pub(crate) async fn audit_in(
        &self,
        change: &mut Change<'_>,
        event: AuditEvent,
    ) -> Result<(), RegistryError> {
        let AuditEvent { actor, action, subject, detail } = event;
        sqlx::query("INSERT INTO audit (at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)")
            .bind(crate::rows::second(self.clock.unix()))
            .bind(actor.replace('\0', ""))
            .bind(action)
            .bind(subject.replace('\0', ""))
            .bind(detail.replace('\0', ""))
            .execute(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(())
    }
}
