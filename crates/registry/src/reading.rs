//! Reading: the server's snapshot, lists for people, the audit.

use futures_util::TryStreamExt as _;
use msp_core::{AuditRow, ClientRecord, Link, RegistryError, SecretRecord, Snapshot};
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction};

use crate::open::SqlRegistry;
use crate::rows::{self, API_KEY, CLIENT};

impl SqlRegistry {
    /// All clients: linked ones by name, then unlinked ones by key.
    ///
    /// # Errors
    /// [`RegistryError`] when the registry cannot be read.
    pub async fn clients(&self) -> Result<Vec<ClientRecord>, RegistryError> {
        let mut clients = self.read_snapshot().await?.clients;
        clients.sort_by(|a, b| match (&a.link, &b.link) {
            (Link::Linked(a), Link::Linked(b)) => a.name.cmp(&b.name),
            (Link::Linked(_), Link::Unlinked) => std::cmp::Ordering::Less,
            (Link::Unlinked, Link::Linked(_)) => std::cmp::Ordering::Greater,
            (Link::Unlinked, Link::Unlinked) => a.key.cmp(&b.key),
        });
        Ok(clients)
    }

    /// The newest lines of the audit, the newest first.
    ///
    /// # Errors
    /// [`RegistryError`] when the registry cannot be read.
    pub async fn audit(&self, last: usize) -> Result<Vec<AuditRow>, RegistryError> {
        let rows =
            sqlx::query("SELECT at, actor, action, subject, detail FROM audit ORDER BY id DESC LIMIT $1")
                .bind(i64::try_from(last).unwrap_or(i64::MAX))
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
        let read = |row: &sqlx::any::AnyRow| {
            Ok(AuditRow {
                at: rows::unix(row.try_get(0)?),
                actor: row.try_get(1)?,
                action: row.try_get(2)?,
                subject: row.try_get(3)?,
                detail: row.try_get(4)?,
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| self.failed(error))
    }

    pub(crate) async fn read_generation(&self) -> Result<u64, RegistryError> {
        self.meta("generation").await
    }

    pub(crate) async fn meta(&self, name: &'static str) -> Result<u64, RegistryError> {
        let row =
            sqlx::query("SELECT value FROM meta WHERE name = $1").bind(name).fetch_one(&self.pool).await;
        row.and_then(|row| row.try_get(0)).map(rows::unix).map_err(|error| self.failed(error))
    }

    /// Reads everything in one transaction and row by row: all rows at once would take many times their memory.
    pub(crate) async fn read_snapshot(&self) -> Result<Snapshot, RegistryError> {
        let mut tx = self.pool.begin().await.map_err(|error| self.failed(error))?;
        let generation = fetch(self, &mut tx, "SELECT value FROM meta WHERE name = 'generation'").await?;
        let generation =
            generation.first().map_or(Ok(0), |row| row.try_get(0)).map_err(|error| self.failed(error))?;
        let grants = fetch(self, &mut tx, "SELECT key_digest, pattern, writes FROM grants").await?;
        let mut grants = rows::grants(&grants, self.place())?;
        let clients = self.each(&mut tx, CLIENT, |row| rows::client(row, &mut grants, self.place())).await?;
        let secrets = self.each(&mut tx, "SELECT digest FROM secrets", |row| {
            let stored = row.try_get(0).map_err(|error| self.failed(error))?;
            Ok(SecretRecord { digest: rows::digest(stored, self.place())? })
        });
        let secrets = secrets.await?;
        let grants = fetch(self, &mut tx, "SELECT digest, pattern, writes FROM api_key_grants").await?;
        let mut grants = rows::grants(&grants, self.place())?;
        let api_keys =
            self.each(&mut tx, API_KEY, |row| rows::api_key(row, &mut grants, self.place())).await?;
        Ok(Snapshot { generation: rows::unix(generation), clients, secrets, api_keys })
    }

    async fn each<T>(
        &self,
        tx: &mut Transaction<'_, Any>,
        sql: &'static str,
        mut read: impl FnMut(&sqlx::any::AnyRow) -> Result<T, RegistryError>,
    ) -> Result<Vec<T>, RegistryError> {
        let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(&mut **tx);
        let mut all = Vec::new();
        while let Some(row) = rows.try_next().await.map_err(|error| self.failed(error))? {
            all.push(read(&row)?);
        }
        Ok(all)
    }
}

async fn fetch(
    registry: &SqlRegistry,
    tx: &mut Transaction<'_, Any>,
    sql: &'static str,
) -> Result<Vec<sqlx::any::AnyRow>, RegistryError> {
    sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut **tx).await.map_err(|error| registry.failed(error))
}
