//! Reading everything that servers need, and what has changed of it.

use futures_util::TryStreamExt as _;
use msp_core::{Changed, Changes, Principal, RegistryError, SecretRecord, Snapshot, UnlinkedChange};
use msp_protocol::Digest;
use sqlx::any::AnyRow;
use sqlx::{Any, FromRow, Row as _, Transaction};

use crate::open::SqlRegistry;
use crate::rows::{self, ApiKeyRow, ClientRow, DigestRow, GrantRow, GrantRows, UnlinkedRow};

const GRANTS: &str = "SELECT digest, pattern, writes FROM grants";
const GRANTS_OF: &str = "SELECT digest, pattern, writes FROM grants WHERE digest = $1";
/// Clients have a public key and nobody else has one. Asked for by their kind, SQLite would follow the index of kinds
/// and names to each row, which takes half as long again.
macro_rules! clients {
    ($and:literal) => {
        concat!(
            "SELECT name, public_key, secret, previous, previous_until, standard, expires, disabled, classic, added, \
             last_used FROM principals WHERE public_key IS NOT NULL",
            $and
        )
    };
}
/// Whoever is no client; the row says what else it is.
macro_rules! others {
    ($and:literal) => {
        concat!(
            "SELECT digest, kind, name, standard, expires, allow_query, added, last_used FROM principals \
             WHERE public_key IS NULL",
            $and
        )
    };
}
const CLIENTS: &str = clients!("");
const CLIENT: &str = clients!(" AND digest = $1");
const API_KEYS: &str = others!("");
const API_KEY: &str = others!(" AND digest = $1");
const UNLINKED_KEYS: &str = "SELECT digest, public_key, standard, expires FROM unlinked_keys";
const UNLINKED_KEY: &str =
    "SELECT digest, public_key, standard, expires FROM unlinked_keys WHERE digest = $1";
const UNLINKED_SECRETS: &str = "SELECT digest FROM unlinked_secrets";

pub(crate) type Reading = Transaction<'static, Any>;

impl SqlRegistry {
    /// The number that grows with every change.
    async fn generation(&self) -> Result<u64, RegistryError> {
        self.meta("generation").await
    }

    pub(crate) async fn meta(&self, name: &'static str) -> Result<u64, RegistryError> {
        let row =
            sqlx::query("SELECT value FROM meta WHERE name = $1").bind(name).fetch_one(&self.pool).await;
        row.and_then(|row| row.try_get("value")).map(rows::unix).map_err(|error| self.failed(error))
    }

    /// Reads everything in one transaction and row by row: all rows at once would take many times their memory.
    pub(crate) async fn read_snapshot(&self) -> Result<Snapshot, RegistryError> {
        let mut tx = self.pool.begin().await.map_err(|error| self.failed(error))?;
        self.snapshot_in(&mut tx).await
    }

    async fn snapshot_in(&self, tx: &mut Reading) -> Result<Snapshot, RegistryError> {
        let mut snapshot =
            Snapshot { generation: self.number(tx, "generation").await?, ..Snapshot::default() };
        let mut grants = self.all_grants(tx, GRANTS).await?;
        self.each(tx, API_KEYS, |row: ApiKeyRow| {
            snapshot.api_keys.push(row.read(&mut grants, self.place())?);
            Ok(())
        })
        .await?;
        self.each(tx, CLIENTS, |row: ClientRow| {
            snapshot.clients.push(row.read(&mut grants, self.place())?);
            Ok(())
        })
        .await?;
        self.each(tx, UNLINKED_KEYS, |row: UnlinkedRow| {
            snapshot.clients.push(row.read(&mut grants, self.place())?);
            Ok(())
        })
        .await?;
        self.each(tx, UNLINKED_SECRETS, |row: DigestRow| {
            snapshot.secrets.push(SecretRecord { digest: row.read(self.place())? });
            Ok(())
        })
        .await?;
        Ok(snapshot)
    }

    /// Reads what has changed since, in one transaction.
    pub(crate) async fn read_changes(
        &self,
        since: u64,
        is_known: &(dyn Fn(&Digest) -> bool + Send + Sync),
    ) -> Result<Changes, RegistryError> {
        // Servers ask twice a second, and nearly always nothing has changed.
        if self.generation().await? == since {
            return Ok(Changes::Nothing);
        }
        let mut tx = self.pool.begin().await.map_err(|error| self.failed(error))?;
        let generation = self.number(&mut tx, "generation").await?;
        // A restored file may even be younger than what is known.
        if since < self.number(&mut tx, "changes_from").await? || since > generation {
            return self.snapshot_in(&mut tx).await.map(Changes::Everything);
        }
        let mut changed = Changed { generation, ..Changed::default() };
        let touched =
            sqlx::query("SELECT DISTINCT digest FROM changes WHERE number > $1").bind(rows::second(since));
        let touched = touched.fetch_all(&mut *tx).await.map_err(|error| self.failed(error))?;
        for row in touched {
            match row.try_get::<Option<Vec<u8>>, _>("digest").map_err(|error| self.failed(error))? {
                None => changed.unlinked = Some(self.unlinked(&mut tx, is_known).await?),
                Some(digest) => {
                    let digest = rows::digest(digest, self.place())?;
                    changed.principals.push((digest, self.principal(&mut tx, &digest).await?));
                }
            }
        }
        Ok(Changes::Some(changed))
    }

    /// The principal with this digest.
    pub(crate) async fn principal(
        &self,
        tx: &mut Reading,
        digest: &Digest,
    ) -> Result<Option<Principal>, RegistryError> {
        let mut grants = self.grants_of(tx, GRANTS_OF, digest).await?;
        let client = sqlx::query_as::<_, ClientRow>(CLIENT).bind(digest.as_bytes().to_vec());
        if let Some(row) = client.fetch_optional(&mut **tx).await.map_err(|error| self.failed(error))? {
            return row.read(&mut grants, self.place()).map(|client| Some(Principal::Client(client)));
        }
        let key = sqlx::query_as::<_, ApiKeyRow>(API_KEY).bind(digest.as_bytes().to_vec());
        let Some(row) = key.fetch_optional(&mut **tx).await.map_err(|error| self.failed(error))? else {
            return Ok(None);
        };
        row.read(&mut grants, self.place()).map(|key| Some(Principal::ApiKey(key)))
    }

    /// All digests of unlinked clients, and what those are that are not known yet.
    async fn unlinked(
        &self,
        tx: &mut Reading,
        is_known: &(dyn Fn(&Digest) -> bool + Send + Sync),
    ) -> Result<UnlinkedChange, RegistryError> {
        let mut change = UnlinkedChange::default();
        self.each(tx, "SELECT digest FROM unlinked_keys", |row: DigestRow| {
            change.keys.push(row.read(self.place())?);
            Ok(())
        })
        .await?;
        self.each(tx, UNLINKED_SECRETS, |row: DigestRow| {
            change.secrets.push(row.read(self.place())?);
            Ok(())
        })
        .await?;
        for digest in change.keys.iter().filter(|digest| !is_known(digest)) {
            let row = sqlx::query_as::<_, UnlinkedRow>(UNLINKED_KEY).bind(digest.as_bytes().to_vec());
            let row = row.fetch_one(&mut **tx).await.map_err(|error| self.failed(error))?;
            let mut grants = self.grants_of(tx, GRANTS_OF, digest).await?;
            change.new.push(row.read(&mut grants, self.place())?);
        }
        Ok(change)
    }

    async fn number(&self, tx: &mut Reading, name: &'static str) -> Result<u64, RegistryError> {
        let row = sqlx::query("SELECT value FROM meta WHERE name = $1").bind(name).fetch_one(&mut **tx).await;
        row.and_then(|row| row.try_get("value")).map(rows::unix).map_err(|error| self.failed(error))
    }

    pub(crate) async fn all_grants(
        &self,
        tx: &mut Reading,
        sql: &'static str,
    ) -> Result<GrantRows, RegistryError> {
        let mut grants = GrantRows::new();
        self.each(tx, sql, |row: GrantRow| row.read(&mut grants, self.place())).await?;
        Ok(grants)
    }

    pub(crate) async fn grants_of(
        &self,
        tx: &mut Reading,
        sql: &'static str,
        digest: &Digest,
    ) -> Result<GrantRows, RegistryError> {
        let rows = sqlx::query_as::<_, GrantRow>(sql).bind(digest.as_bytes().to_vec());
        let mut grants = GrantRows::new();
        for row in rows.fetch_all(&mut **tx).await.map_err(|error| self.failed(error))? {
            row.read(&mut grants, self.place())?;
        }
        Ok(grants)
    }

    /// Hands over each row of what is asked, one by one.
    pub(crate) async fn each<T: for<'r> FromRow<'r, AnyRow> + Send + Unpin>(
        &self,
        tx: &mut Reading,
        sql: &'static str,
        mut take: impl FnMut(T) -> Result<(), RegistryError>,
    ) -> Result<(), RegistryError> {
        let mut rows = sqlx::query_as::<_, T>(sql).fetch(&mut **tx);
        while let Some(row) = rows.try_next().await.map_err(|error| self.failed(error))? {
            take(row)?;
        }
        Ok(())
    }
}
