//! Copies of the registry, and taking one back.

use std::path::Path;
use std::time::Duration;

use msp_core::RegistryError;
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::changes::event;
use crate::error::failed;
use crate::open::{SqlRegistry, connection_url, schema_version};
use crate::rows;

/// What a restore brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Clients after it.
    pub clients: u64,
    /// Api keys after it.
    pub api_keys: u64,
    /// Clients and api keys of the backup that stay out, because they were revoked since.
    pub revoked: u64,
}

impl SqlRegistry {
    /// Writes a whole copy to a new file, 0600; the server may run.
    ///
    /// # Errors
    /// [`RegistryError::Unavailable`] when the file exists or cannot be written.
    pub async fn backup(&self, to: &Path) -> Result<(), RegistryError> {
        let place = to.display().to_string();
        let unavailable = |why: String| RegistryError::Unavailable(place.clone(), why);
        // The copy goes into this empty file, which is private from the start.
        msp_keyfile::create_private(to).map_err(|error| unavailable(error.to_string()))?;
        let copied = sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&self.pool).await;
        if let Err(error) = copied {
            let _keep_the_first_error = std::fs::remove_file(to);
            return Err(failed(&place, &error));
        }
        let synced = std::fs::File::open(to).and_then(|file| file.sync_all());
        synced.map_err(|error| unavailable(error.to_string()))
    }

    /// Replaces the content by a backup's, in one transaction.
    ///
    /// What was revoked since the backup stays revoked. Nothing that may have been accepted since is accepted again:
    /// the mark becomes the highest of the backup's, the present one, and now + RequestTTL.
    ///
    /// # Errors
    /// [`RegistryError::Corrupt`] and [`RegistryError::Newer`] for the backup, else that it cannot be written; the
    /// registry is unchanged then.
    pub async fn restore(
        &self,
        from: &Path,
        request_ttl: Duration,
        actor: &str,
    ) -> Result<Restored, RegistryError> {
        check(from).await?;
        let mut connection = self.pool.acquire().await.map_err(|error| self.failed(error))?;
        sqlx::query("ATTACH DATABASE $1 AS backup")
            .bind(from.display().to_string())
            .execute(&mut *connection)
            .await
            .map_err(|error| failed(&from.display().to_string(), &error))?;
        let restored = self.copy_from_attached(&mut connection, request_ttl).await;
        let detached = sqlx::query("DETACH DATABASE backup").execute(&mut *connection).await;
        drop(connection);
        let restored = restored?;
        detached.map_err(|error| self.failed(error))?;
        let Restored { clients, api_keys, revoked } = restored;
        let detail = format!("{clients} clients, {api_keys} api keys; {revoked} of the backup stay revoked");
        let change = self.change().await?;
        self.commit(change, event(actor, "registry.restore", from.display(), detail)).await?;
        Ok(restored)
    }

    async fn copy_from_attached(
        &self,
        connection: &mut AnyConnection,
        request_ttl: Duration,
    ) -> Result<Restored, RegistryError> {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failed(error))?;
        let mark = rows::second(self.clock.unix().saturating_add(request_ttl.as_secs()));
        sqlx::query(
            "UPDATE meta SET value = MAX(value, $1, (SELECT value FROM backup.meta WHERE name = 'accepted_until')) \
             WHERE name = 'accepted_until'",
        )
        .bind(mark)
        .execute(&mut *tx)
        .await
        .map_err(|error| self.failed(error))?;
        for sql in STEPS {
            sqlx::query(*sql).execute(&mut *tx).await.map_err(|error| self.failed(error))?;
        }
        let count = async |tx: &mut sqlx::Transaction<'_, sqlx::Any>, sql: &'static str| {
            let row = sqlx::query(sql).fetch_one(&mut **tx).await;
            row.and_then(|row| row.try_get(0)).map(rows::unix).map_err(|error| self.failed(error))
        };
        let clients = count(&mut tx, "SELECT COUNT(*) FROM main.clients").await?;
        let api_keys = count(&mut tx, "SELECT COUNT(*) FROM main.api_keys").await?;
        let kept = "SELECT (SELECT COUNT(*) FROM backup.clients) + (SELECT COUNT(*) FROM backup.api_keys)";
        let revoked = count(&mut tx, kept).await? - clients - api_keys;
        tx.commit().await.map_err(|error| self.failed(error))?;
        Ok(Restored { clients, api_keys, revoked })
    }
}

/// From the attached backup to the registry. A tombstone of either keeps its client or api key out; marks are united.
const STEPS: &[&str] = &[
    "DELETE FROM main.grants",
    "DELETE FROM main.clients",
    "DELETE FROM main.secrets",
    "DELETE FROM main.api_key_grants",
    "DELETE FROM main.api_keys",
    "INSERT INTO main.tombstones (digest) SELECT digest FROM backup.tombstones WHERE TRUE ON CONFLICT DO NOTHING",
    "INSERT INTO main.clients SELECT * FROM backup.clients WHERE key_digest NOT IN (SELECT digest FROM main.tombstones) \
     AND (secret IS NULL OR secret NOT IN (SELECT digest FROM main.tombstones))",
    "UPDATE main.clients SET previous = NULL, previous_until = NULL \
     WHERE previous IN (SELECT digest FROM main.tombstones)",
    "INSERT INTO main.secrets SELECT digest FROM backup.secrets WHERE digest NOT IN \
     (SELECT digest FROM main.tombstones)",
    "INSERT INTO main.grants SELECT * FROM backup.grants WHERE key_digest IN (SELECT key_digest FROM main.clients)",
    "INSERT INTO main.api_keys SELECT * FROM backup.api_keys WHERE digest NOT IN (SELECT digest FROM main.tombstones)",
    "INSERT INTO main.api_key_grants SELECT * FROM backup.api_key_grants WHERE digest IN \
     (SELECT digest FROM main.api_keys)",
    "INSERT INTO main.marks (key_digest, mark) SELECT key_digest, mark FROM backup.marks WHERE TRUE \
     ON CONFLICT (key_digest) DO UPDATE SET mark = excluded.mark WHERE excluded.mark > marks.mark",
    "INSERT INTO main.ahead (item, key_digest, ts) SELECT item, key_digest, ts FROM backup.ahead WHERE TRUE \
     ON CONFLICT DO NOTHING",
];

/// Refuses a file that is no whole registry of a version we know.
async fn check(from: &Path) -> Result<(), RegistryError> {
    let place = from.display().to_string();
    if !from.is_file() {
        return Err(RegistryError::Unavailable(place, "there is no such file".to_owned()));
    }
    let url = connection_url(from).replace("?mode=rw", "?mode=ro");
    let mut connection = AnyConnection::connect(&url).await.map_err(|error| failed(&place, &error))?;
    let known = crate::open::newest_schema();
    let found = schema_version(&mut connection, &place).await?;
    if found > known {
        return Err(RegistryError::Newer { place, found, known });
    }
    if found < known {
        let why = format!(
            "its schema version is {found}, not {known}; open it once with msp-admin of this version"
        );
        return Err(RegistryError::Corrupt(place, why));
    }
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut connection).await;
    let verdict: String = row.and_then(|row| row.try_get(0)).map_err(|error| failed(&place, &error))?;
    if verdict == "ok" { Ok(()) } else { Err(RegistryError::Corrupt(place, verdict)) }
}
