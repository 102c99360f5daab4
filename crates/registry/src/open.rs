//! Opening the registry: the file, its schema, and the lock of its one server.

use std::path::Path;
use std::sync::{Arc, Once};

use msp_core::clock::Clock;
use msp_core::{BoxFuture, Registry, RegistryError, ServerLock};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyPool, Connection as _, Executor as _};
use tokio::sync::Mutex;

use crate::error::failed;
use crate::sqlite::{
    PRAGMAS, cannot_lock, check_files, connection_url, empty_log, lock_file, migrate, path_of, refuse_foreign,
};

/// Connections of one process; reading is rare, writing goes one by one.
const CONNECTIONS: u32 = 4;

/// The registry in an SQL database; cheap to clone.
#[derive(Debug, Clone)]
pub struct SqlRegistry {
    pub(crate) pool: AnyPool,
    pub(crate) clock: Arc<dyn Clock>,
    path: Arc<Path>,
    /// Its text form, for errors.
    place: Arc<str>,
    /// Writers of this process wait here and not in the database.
    pub(crate) writing: Arc<Mutex<()>>,
}

impl Registry for SqlRegistry {
    fn lock_for_server(&self) -> BoxFuture<'_, Result<ServerLock, RegistryError>> {
        let lock = || {
            let file = lock_file(&self.path, "lock")?;
            match file.try_lock() {
                Ok(()) => Ok(ServerLock::held_by(file)),
                Err(std::fs::TryLockError::WouldBlock) => Err(RegistryError::InUse(self.place.to_string())),
                Err(std::fs::TryLockError::Error(error)) => Err(cannot_lock(&self.place, &error)),
            }
        };
        Box::pin(std::future::ready(lock()))
    }

    /// With the last of its connections go SQLite's `-wal` and `-shm` files. Those of a registry that is only dropped go
    /// some time afterwards, or stay when the process ends before.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.pool.close())
    }
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

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// Names the place in what the database says.
    pub(crate) fn failed(&self, error: sqlx::Error) -> RegistryError {
        failed(self.place(), &error)
    }

    /// Empties the write-ahead log, whose order would tell which key came with which secret.
    pub(crate) async fn empty_log(&self) {
        empty_log(&self.pool, self.place()).await;
    }
}
