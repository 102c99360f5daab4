//! Copies of the registry, and taking one back.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use msp_core::{Backups, BoxFuture, RegistryError, Restored};
use msp_keyfile::PrivateFolder;
use msp_protocol::PublicKey;
use sqlx::any::AnyRow;
use sqlx::{Any, AnyConnection, AssertSqlSafe, Connection as _, Row as _, Transaction};

use crate::error::failed;
use crate::open::SqlRegistry;
use crate::rows;
use crate::sqlite::{connection_url, migrate, newest_schema, schema_version};
use crate::transaction::{Touched, event};

impl Backups for SqlRegistry {
    fn backup<'a>(&'a self, to: &'a mut File) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.copy_to(to))
    }

    fn restore<'a>(
        &'a self,
        from: &'a Path,
        name: &'a str,
        request_ttl: Duration,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<Restored, RegistryError>> {
        Box::pin(self.copy_back(from, name, request_ttl, actor))
    }
}

impl SqlRegistry {
    /// SQLite writes to paths alone, so the copy is made beside the registry first, in a folder of its own.
    async fn copy_to(&self, to: &mut File) -> Result<(), RegistryError> {
        let unavailable = |why: String| RegistryError::Unavailable("the backup".to_owned(), why);
        let folder = PrivateFolder::beside(self.path()).map_err(|error| unavailable(error.to_string()))?;
        let copy = folder.path("copy");
        sqlx::query("VACUUM INTO $1")
            .bind(copy.display().to_string())
            .execute(&self.pool)
            .await
            .map_err(|error| failed(&copy.display().to_string(), &error))?;
        let written = File::open(&copy).and_then(|mut copy| std::io::copy(&mut copy, to));
        written.and_then(|_| to.sync_all()).map_err(|error| unavailable(error.to_string()))
    }

    async fn copy_back(
        &self,
        from: &Path,
        name: &str,
        request_ttl: Duration,
        actor: &str,
    ) -> Result<Restored, RegistryError> {
        let updated = self.updated_copy(from, name).await?;
        let from = updated.as_ref().map_or(from, |(_, copy)| copy);
        check(from, name).await?;
        let mut connection = self.pool.acquire().await.map_err(|error| self.failed(error))?;
        sqlx::query("ATTACH DATABASE $1 AS backup")
            .bind(from.display().to_string())
            .execute(&mut *connection)
            .await
            .map_err(|error| failed(name, &error))?;
        let restored = self.copy_from_attached(&mut connection, request_ttl).await;
        let detached = sqlx::query("DETACH DATABASE backup").execute(&mut *connection).await;
        drop(connection);
        let restored = restored?;
        detached.map_err(|error| self.failed(error))?;
        let Restored { clients, api_keys, users, revoked, .. } = restored;
        let detail = format!(
            "{clients} clients, {api_keys} api keys, {users} users; {revoked} of the backup stay revoked"
        );
        let change = self.change().await?;
        self.commit(change, Touched::Everything, event(actor, "registry.restore", name, detail)).await?;
        Ok(restored)
    }

    /// A backup of an earlier version, as this one would have left it; the backup itself stays as it is.
    async fn updated_copy(
        &self,
        from: &Path,
        name: &str,
    ) -> Result<Option<(PrivateFolder, PathBuf)>, RegistryError> {
        let mut connection = read_only(from, name).await?;
        let found = schema_version(&mut connection, name).await?;
        connection.close().await.map_err(|error| failed(name, &error))?;
        if !(1..newest_schema()).contains(&found) {
            return Ok(None);
        }
        let unavailable = |why: String| RegistryError::Unavailable(name.to_owned(), why);
        let folder = PrivateFolder::beside(self.path()).map_err(|error| unavailable(error.to_string()))?;
        let copy = folder.path("copy");
        let mut file = msp_keyfile::create_private(&copy).map_err(|error| unavailable(error.to_string()))?;
        File::open(from)
            .and_then(|mut from| std::io::copy(&mut from, &mut file))
            .map_err(|error| unavailable(error.to_string()))?;
        migrate(&connection_url(&copy), &copy, name).await?;
        Ok(Some((folder, copy)))
    }

    async fn copy_from_attached(
        &self,
        connection: &mut AnyConnection,
        request_ttl: Duration,
    ) -> Result<Restored, RegistryError> {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failed(error))?;
        let now = self.clock.unix();
        let with_time =
            [(RAISE_MARK, now.saturating_add(request_ttl.as_secs())), (ADD_TOMBSTONES_OF_ENDED, now)];
        for (sql, second) in with_time {
            let done = sqlx::query(sql).bind(rows::second(second)).execute(&mut *tx).await;
            done.map_err(|error| self.failed(error))?;
        }
        for sql in STEPS {
            sqlx::query(*sql).execute(&mut *tx).await.map_err(|error| self.failed(error))?;
        }
        for table in self.tables_without_rules(&mut tx).await? {
            for sql in [
                format!("DELETE FROM main.\"{table}\""),
                format!("INSERT INTO main.\"{table}\" SELECT * FROM backup.\"{table}\""),
            ] {
                let done = sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await;
                done.map_err(|error| self.failed(error))?;
            }
        }
        for sql in DROP_REMOVED {
            sqlx::query(*sql).execute(&mut *tx).await.map_err(|error| self.failed(error))?;
        }
        let row = sqlx::query(COUNT).bind(rows::second(now)).fetch_one(&mut *tx).await;
        let row = row.map_err(|error| self.failed(error))?;
        let count = |column: usize| row.try_get(column).map(rows::unix).map_err(|error| self.failed(error));
        let restored = Restored {
            clients: count(0)?,
            api_keys: count(1)?,
            users: count(2)?,
            revoked: count(3)?,
            shut_out: count(4)?,
            floor: count(5)?,
        };
        tx.commit().await.map_err(|error| self.failed(error))?;
        Ok(restored)
    }
}

impl SqlRegistry {
    /// The tables of the schema that no rule of ours names.
    async fn tables_without_rules(
        &self,
        tx: &mut Transaction<'_, Any>,
    ) -> Result<Vec<String>, RegistryError> {
        let sql = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        let rows = sqlx::query(sql).fetch_all(&mut **tx).await.map_err(|error| self.failed(error))?;
        let names = rows.iter().map(|row| row.try_get::<String, _>("name"));
        let names: Vec<_> = names.collect::<Result<_, _>>().map_err(|error| self.failed(error))?;
        Ok(names.into_iter().filter(|name| !WITH_RULES.contains(&name.as_str())).collect())
    }
}

/// $1: the second after the last that may have been accepted.
const RAISE_MARK: &str = "UPDATE main.meta SET value = MAX(value, $1, (SELECT value FROM backup.meta WHERE name = 'accepted_until')) \
     WHERE name = 'accepted_until'";

/// Of both, the secrets whose overlap has ended at $1.
const ADD_TOMBSTONES_OF_ENDED: &str = "INSERT INTO main.tombstones (digest) \
     SELECT previous FROM main.principals WHERE previous_until <= $1 AND previous IS NOT NULL \
     UNION SELECT previous FROM backup.principals WHERE previous_until <= $1 AND previous IS NOT NULL \
     ON CONFLICT DO NOTHING";

/// Clients, api keys, users, what stays out, who is shut out at $1, and the mark.
const COUNT: &str = "SELECT (SELECT COUNT(*) FROM main.principals WHERE kind = 'client') + (SELECT COUNT(*) FROM main.unlinked_keys), \
     (SELECT COUNT(*) FROM main.principals WHERE kind = 'apikey'), (SELECT COUNT(*) FROM main.users), \
     (SELECT COUNT(*) FROM backup.principals) + (SELECT COUNT(*) FROM backup.unlinked_keys) \
     + (SELECT COUNT(*) FROM backup.users) - (SELECT COUNT(*) FROM main.principals) \
     - (SELECT COUNT(*) FROM main.unlinked_keys) - (SELECT COUNT(*) FROM main.users), \
     (SELECT COUNT(*) FROM main.principals WHERE kind = 'client' AND (disabled <> 0 OR expires <= $1)) \
     + (SELECT COUNT(*) FROM main.unlinked_keys WHERE expires <= $1), \
     (SELECT value FROM main.meta WHERE name = 'accepted_until')";

/// The tables that [`STEPS`] and [`RAISE_MARK`] take care of, and those that are no content: the audit and the feed
/// stay the registry's own. Whatever else there is becomes as it is in the backup.
const WITH_RULES: [&str; 11] = [
    "_sqlx_migrations",
    "ahead",
    "audit",
    "changes",
    "grants",
    "marks",
    "meta",
    "principals",
    "tombstones",
    "unlinked_keys",
    "users",
];

/// From the attached backup to the registry. A tombstone of either keeps its client, api key or user out; marks are
/// united.
///
/// Of a client that both know, the secrets are the registry's, unless they have ended or the backup says that its own
/// came after them. Of a user that both know, password, role and epoch are the registry's, unless the backup's epoch is
/// the higher one: each end of a password raises it.
const STEPS: &[&str] = &[
    "CREATE TEMP TABLE present AS SELECT digest, secret, previous, previous_until, expires, disabled \
     FROM main.principals",
    "CREATE TEMP TABLE limits AS SELECT digest, expires FROM main.principals UNION ALL \
     SELECT digest, expires FROM main.unlinked_keys",
    "INSERT INTO main.tombstones (digest) SELECT digest FROM backup.tombstones WHERE TRUE ON CONFLICT DO NOTHING",
    // Who was disabled stays out where nothing could say that it is.
    "INSERT INTO main.tombstones (digest) SELECT digest FROM temp.present \
     WHERE disabled <> 0 AND digest IN (SELECT digest FROM backup.unlinked_keys) ON CONFLICT DO NOTHING",
    "UPDATE temp.present SET secret = NULL WHERE secret IN (SELECT digest FROM main.tombstones) \
     OR secret = (SELECT previous FROM backup.principals AS old WHERE old.digest = present.digest)",
    "INSERT INTO main.tombstones (digest) SELECT old.secret FROM backup.principals AS old \
     JOIN temp.present AS present USING (digest) WHERE old.secret IS NOT NULL AND present.secret IS NOT NULL \
     AND old.secret IS NOT present.secret AND old.secret IS NOT present.previous ON CONFLICT DO NOTHING",
    "DELETE FROM main.grants",
    "DELETE FROM main.principals",
    "DELETE FROM main.unlinked_keys",
    "INSERT INTO main.principals SELECT * FROM backup.principals WHERE digest NOT IN (SELECT digest FROM main.tombstones)",
    "UPDATE main.principals SET (secret, previous, previous_until) = \
     (SELECT secret, previous, previous_until FROM temp.present AS present WHERE present.digest = principals.digest) \
     WHERE secret IS NOT NULL AND digest IN (SELECT digest FROM temp.present WHERE secret IS NOT NULL)",
    "DELETE FROM main.principals WHERE secret IN (SELECT digest FROM main.tombstones)",
    "UPDATE main.principals SET previous = NULL, previous_until = NULL \
     WHERE previous IN (SELECT digest FROM main.tombstones)",
    "UPDATE main.principals SET expires = (SELECT MIN(known.expires, COALESCE(principals.expires, known.expires)) \
     FROM temp.limits AS known WHERE known.digest = principals.digest) \
     WHERE digest IN (SELECT digest FROM temp.limits WHERE expires IS NOT NULL)",
    "UPDATE main.principals SET disabled = 1 \
     WHERE digest IN (SELECT digest FROM temp.present WHERE disabled <> 0)",
    "INSERT INTO main.unlinked_keys SELECT * FROM backup.unlinked_keys \
     WHERE digest NOT IN (SELECT digest FROM main.tombstones)",
    "UPDATE main.unlinked_keys SET expires = (SELECT MIN(known.expires, COALESCE(unlinked_keys.expires, known.expires)) \
     FROM temp.limits AS known WHERE known.digest = unlinked_keys.digest) \
     WHERE digest IN (SELECT digest FROM temp.limits WHERE expires IS NOT NULL)",
    "INSERT INTO main.grants SELECT * FROM backup.grants WHERE digest IN \
     (SELECT digest FROM main.principals UNION SELECT digest FROM main.unlinked_keys)",
    "CREATE TEMP TABLE present_users AS SELECT id, password, role, epoch, expires, disabled FROM main.users",
    "DELETE FROM main.users",
    "INSERT INTO main.users SELECT * FROM backup.users WHERE id NOT IN (SELECT digest FROM main.tombstones)",
    "UPDATE main.users SET (password, role, epoch) = \
     (SELECT password, role, epoch FROM temp.present_users AS present WHERE present.id = users.id) \
     WHERE epoch <= (SELECT epoch FROM temp.present_users AS present WHERE present.id = users.id)",
    "UPDATE main.users SET expires = (SELECT MIN(present.expires, COALESCE(users.expires, present.expires)) \
     FROM temp.present_users AS present WHERE present.id = users.id) \
     WHERE id IN (SELECT id FROM temp.present_users WHERE expires IS NOT NULL)",
    "UPDATE main.users SET disabled = 1 WHERE id IN (SELECT id FROM temp.present_users WHERE disabled <> 0)",
    "INSERT INTO main.marks (key_digest, mark) SELECT key_digest, mark FROM backup.marks WHERE TRUE \
     ON CONFLICT (key_digest) DO UPDATE SET mark = excluded.mark WHERE excluded.mark > marks.mark",
    "INSERT INTO main.ahead (item, key_digest, ts) SELECT item, key_digest, ts FROM backup.ahead WHERE TRUE \
     ON CONFLICT DO NOTHING",
    "DROP TABLE temp.present",
    "DROP TABLE temp.limits",
    "DROP TABLE temp.present_users",
    // Here too, and not only with the line of the audit: without it a server would not read again what was restored.
    "UPDATE main.meta SET value = value + 1 WHERE name = 'generation'",
    "DELETE FROM main.changes",
    "UPDATE main.meta SET value = (SELECT value FROM main.meta WHERE name = 'generation') WHERE name = 'changes_from'",
];

/// After [`STEPS`]: what was revoked, and what hangs on a user who is gone, stays out of what has no rules of its own,
/// too.
const DROP_REMOVED: &[&str] = &[
    "DELETE FROM main.unlinked_secrets WHERE digest IN (SELECT digest FROM main.tombstones)",
    "DELETE FROM main.user_tokens WHERE digest IN (SELECT digest FROM main.tombstones) \
     OR user_id NOT IN (SELECT id FROM main.users)",
    "DELETE FROM main.user_grants WHERE user_id NOT IN (SELECT id FROM main.users)",
    "DELETE FROM main.logins WHERE user_id NOT IN (SELECT id FROM main.users)",
];

async fn read_only(file: &Path, name: &str) -> Result<AnyConnection, RegistryError> {
    let url = connection_url(file).replace("?mode=rw", "?mode=ro");
    AnyConnection::connect(&url).await.map_err(|error| failed(name, &error))
}

/// Refuses a file that is no whole registry of a version we know, or holds what no `client add` lets in.
async fn check(from: &Path, name: &str) -> Result<(), RegistryError> {
    let place = name.to_owned();
    let mut connection = read_only(from, name).await?;
    let known = newest_schema();
    let found = schema_version(&mut connection, &place).await?;
    if found > known {
        return Err(RegistryError::Newer { place, found, known });
    }
    if found < known {
        return Err(RegistryError::Corrupt(place, "it is empty".to_owned()));
    }
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut connection).await;
    let verdict: String = row.and_then(|row| row.try_get(0)).map_err(|error| failed(&place, &error))?;
    if verdict != "ok" {
        return Err(RegistryError::Corrupt(place, verdict));
    }
    let mut keys = sqlx::query(KEYS).fetch(&mut connection);
    while let Some(row) = keys.try_next().await.map_err(|error| failed(&place, &error))? {
        check_key(&row).map_err(|why| RegistryError::Corrupt(place.clone(), why))?;
    }
    Ok(())
}

const KEYS: &str = "SELECT public_key, digest FROM principals WHERE kind = 'client' \
                    UNION ALL SELECT public_key, digest FROM unlinked_keys";

/// Says why a stored key is none that a client may have.
fn check_key(row: &AnyRow) -> Result<(), String> {
    let column = |column: usize| row.try_get::<Vec<u8>, _>(column).unwrap_or_default();
    let digest = column(1);
    let refused = |why: &str| {
        let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        format!("the key of the client with the digest {digest}… is refused: {why}; nothing was restored")
    };
    let bytes: [u8; 32] = column(0).try_into().map_err(|_| refused("it is not 32 bytes long"))?;
    let key = PublicKey::from_bytes(bytes).map_err(|error| refused(&error.to_string()))?;
    if digest == key.digest().as_bytes() { Ok(()) } else { Err(refused("it has another digest")) }
}
