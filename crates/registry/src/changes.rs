//! Adding clients and changing linked ones.

use std::time::Duration;

use msp_core::{Access, AuditEvent, ClientRecord, Grants, Link, NewClient, RegistryError};
use msp_protocol::{ClientName, Digest, UnixSecond};
use sqlx::Executor as _;
use sqlx::Row as _;

use crate::open::{Change, SqlRegistry};
use crate::rows;

impl SqlRegistry {
    /// Registers a client: linked when it has a name, else its key and its secret apart from each other.
    ///
    /// # Errors
    /// [`RegistryError::AlreadyRegistered`], [`RegistryError::Tombstone`], or that it cannot be written.
    pub async fn add_client(&self, new: &NewClient, actor: &str) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let key = new.key.digest();
        for (digest, what) in [(key, "the key"), (new.secret, "the secret")] {
            self.refuse_known(&mut change, &digest, what).await?;
            if new.revive {
                self.lift_tombstone(&mut change, &digest).await?;
            } else if self.is_tombstone(&mut change, &digest).await? {
                return Err(RegistryError::Tombstone(what));
            }
        }
        if let Some(name) = &new.name {
            let same = self.count(&mut change, "SELECT COUNT(*) FROM clients WHERE name = $1", name.as_str());
            if same.await? > 0 {
                return Err(RegistryError::AlreadyRegistered("the name"));
            }
        }
        self.insert_client(&mut change, new).await?;
        let subject = new.name.as_ref().map_or_else(|| new.key.fingerprint(), ToString::to_string);
        let action = if new.name.is_some() { "client.add" } else { "client.append" };
        self.commit(change, event(actor, action, subject, describe(&new.grants))).await?;
        if new.name.is_none() {
            self.empty_log().await;
        }
        Ok(())
    }

    pub(crate) async fn insert_client(
        &self,
        change: &mut Change<'_>,
        new: &NewClient,
    ) -> Result<(), RegistryError> {
        let linked = new.name.is_some();
        let key = new.key.digest();
        sqlx::query(
            "INSERT INTO clients (key_digest, public_key, name, secret, standard, expires, disabled, classic, added) \
             VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8)",
        )
        .bind(key.as_bytes().to_vec())
        .bind(new.key.as_bytes().to_vec())
        .bind(new.name.as_ref().map(|name| name.as_str().to_owned()))
        .bind(linked.then(|| new.secret.as_bytes().to_vec()))
        .bind(i64::from(new.grants == Grants::Standard))
        .bind(new.expires.map(rows::second))
        .bind(i64::from(new.classic || !linked))
        .bind(linked.then(|| rows::second(self.clock.unix())))
        .execute(&mut *change.tx)
        .await
        .map_err(|error| self.failed(error))?;
        if !linked {
            self.insert_secret(change, &new.secret).await?;
        }
        self.insert_grants(change, CLIENT_GRANT, &key, &new.grants).await
    }

    pub(crate) async fn insert_secret(
        &self,
        change: &mut Change<'_>,
        secret: &Digest,
    ) -> Result<(), RegistryError> {
        self.run(change, "INSERT INTO secrets (digest) VALUES ($1)", secret).await.map(drop)
    }

    /// Inserts listed grants by [`CLIENT_GRANT`] or [`API_KEY_GRANT`].
    pub(crate) async fn insert_grants(
        &self,
        change: &mut Change<'_>,
        sql: &'static str,
        key: &Digest,
        grants: &Grants,
    ) -> Result<(), RegistryError> {
        let Grants::Listed(listed) = grants else { return Ok(()) };
        for (pattern, access) in listed.iter() {
            sqlx::query(sql)
                .bind(key.as_bytes().to_vec())
                .bind(pattern.as_str().to_owned())
                .bind(i64::from(*access == Access::Write))
                .execute(&mut *change.tx)
                .await
                .map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    /// Gives a linked client a new secret; the old one works until the new one is used or the overlap ends.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or that it cannot be written.
    pub async fn rotate(
        &self,
        name: &ClientName,
        secret: &Digest,
        overlap: Duration,
        actor: &str,
    ) -> Result<ClientRecord, RegistryError> {
        let mut change = self.change().await?;
        let client = self.linked(&mut change, name).await?;
        self.refuse_known(&mut change, secret, "the secret").await?;
        let Link::Linked(linked) = &client.link else { return Err(RegistryError::NotFound("linked client")) };
        if let Some((older, _)) = &linked.previous {
            self.bury(&mut change, older).await?;
        }
        let until = self.clock.unix().saturating_add(overlap.as_secs());
        let key = client.key.digest();
        sqlx::query(
            "UPDATE clients SET secret = $1, previous = $2, previous_until = $3 WHERE key_digest = $4",
        )
        .bind(secret.as_bytes().to_vec())
        .bind(linked.secret.as_bytes().to_vec())
        .bind(rows::second(until))
        .bind(key.as_bytes().to_vec())
        .execute(&mut *change.tx)
        .await
        .map_err(|error| self.failed(error))?;
        let detail = format!("the old secret ends in {} s at the latest", overlap.as_secs());
        self.commit(change, event(actor, "client.rotate", name, detail)).await?;
        Ok(client)
    }

    /// Sets or lifts the second from which a linked client is refused.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or that it cannot be written.
    pub async fn set_expiry(
        &self,
        name: &ClientName,
        expires: Option<UnixSecond>,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let detail = expires.map_or_else(|| "never".to_owned(), |second| format!("at Unix second {second}"));
        let event = event(actor, "client.expire", name, detail);
        self.set(name, "UPDATE clients SET expires = $1 WHERE name = $2", expires.map(rows::second), event)
            .await
    }

    /// Refuses a linked client, or lets it in again.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or that it cannot be written.
    pub async fn set_disabled(
        &self,
        name: &ClientName,
        disabled: bool,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let action = if disabled { "client.disable" } else { "client.enable" };
        let event = event(actor, action, name, String::new());
        let sql = "UPDATE clients SET disabled = $1 WHERE name = $2";
        self.set(name, sql, Some(i64::from(disabled)), event).await
    }

    async fn set(
        &self,
        name: &ClientName,
        sql: &'static str,
        value: Option<i64>,
        event: AuditEvent,
    ) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let done = sqlx::query(sql).bind(value).bind(name.as_str().to_owned()).execute(&mut *change.tx).await;
        if done.map_err(|error| self.failed(error))?.rows_affected() == 0 {
            return Err(RegistryError::NotFound("linked client"));
        }
        self.commit(change, event).await
    }

    /// Replaces what a linked client may call.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or that it cannot be written.
    pub async fn set_grants(
        &self,
        name: &ClientName,
        grants: &Grants,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let key = self.linked(&mut change, name).await?.key.digest();
        self.run(&mut change, "DELETE FROM grants WHERE key_digest = $1", &key).await?;
        let sql = match grants {
            Grants::Standard => "UPDATE clients SET standard = 1 WHERE key_digest = $1",
            Grants::Listed(_) => "UPDATE clients SET standard = 0 WHERE key_digest = $1",
        };
        self.run(&mut change, sql, &key).await?;
        self.insert_grants(&mut change, CLIENT_GRANT, &key, grants).await?;
        self.commit(change, event(actor, "client.grant", name, describe(grants))).await
    }

    pub(crate) async fn linked(
        &self,
        change: &mut Change<'_>,
        name: &ClientName,
    ) -> Result<ClientRecord, RegistryError> {
        let sql = "SELECT public_key, name, secret, previous, previous_until, 1, expires, disabled, classic, added, \
                   last_used FROM clients WHERE name = $1";
        let row = sqlx::query(sql).bind(name.as_str().to_owned()).fetch_optional(&mut *change.tx).await;
        let row = row.map_err(|error| self.failed(error))?.ok_or(RegistryError::NotFound("linked client"))?;
        rows::client(&row, &mut rows::GrantRows::new(), self.place())
    }

    /// Refuses a key or a secret that anybody has.
    async fn refuse_known(
        &self,
        change: &mut Change<'_>,
        digest: &Digest,
        what: &'static str,
    ) -> Result<(), RegistryError> {
        for sql in [
            "SELECT COUNT(*) FROM clients WHERE key_digest = $1 OR secret = $1 OR previous = $1",
            "SELECT COUNT(*) FROM secrets WHERE digest = $1",
        ] {
            if self.count(change, sql, digest).await? > 0 {
                return Err(RegistryError::AlreadyRegistered(what));
            }
        }
        Ok(())
    }

    /// Counts rows with one parameter.
    pub(crate) async fn count(
        &self,
        change: &mut Change<'_>,
        sql: &'static str,
        value: impl Parameter,
    ) -> Result<i64, RegistryError> {
        let row = value.bind(sqlx::query(sql)).fetch_one(&mut *change.tx).await;
        row.and_then(|row| row.try_get(0)).map_err(|error| self.failed(error))
    }

    /// Runs a statement with one parameter and gives the number of rows it changed.
    pub(crate) async fn run(
        &self,
        change: &mut Change<'_>,
        sql: &'static str,
        value: impl Parameter,
    ) -> Result<u64, RegistryError> {
        let done = value.bind(sqlx::query(sql)).execute(&mut *change.tx).await;
        Ok(done.map_err(|error| self.failed(error))?.rows_affected())
    }

    /// Empties the write-ahead log, whose order would tell which key came with which secret.
    pub(crate) async fn empty_log(&self) {
        if let Err(error) = self.pool.execute("PRAGMA wal_checkpoint(TRUNCATE)").await {
            tracing::debug!("{}: the log is emptied later: {error}", self.place());
        }
    }
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// What a statement can be given.
pub(crate) trait Parameter {
    fn bind<'q>(self, query: Query<'q>) -> Query<'q>;
}

impl Parameter for &Digest {
    fn bind<'q>(self, query: Query<'q>) -> Query<'q> {
        query.bind(self.as_bytes().to_vec())
    }
}

impl Parameter for &str {
    fn bind<'q>(self, query: Query<'q>) -> Query<'q> {
        query.bind(self.to_owned())
    }
}

pub(crate) fn event(actor: &str, action: &'static str, subject: impl ToString, detail: String) -> AuditEvent {
    AuditEvent { actor: actor.to_owned(), action, subject: subject.to_string(), detail }
}

pub(crate) fn describe(grants: &Grants) -> String {
    match grants {
        Grants::Standard => "standard grants".to_owned(),
        Grants::Listed(listed) => {
            let listed: Vec<_> =
                listed.iter().map(|(pattern, access)| format!("{} {pattern}", access.as_str())).collect();
            listed.join(", ")
        }
    }
}

/// Grants a pattern to a client. Of a pattern granted twice, to read and to write, the latter stays.
const CLIENT_GRANT: &str = "INSERT INTO grants (key_digest, pattern, writes) VALUES ($1, $2, $3) \
                            ON CONFLICT (key_digest, pattern) DO UPDATE SET writes = excluded.writes \
                            WHERE excluded.writes > grants.writes";

/// The same for an api key.
pub(crate) const API_KEY_GRANT: &str = "INSERT INTO api_key_grants (digest, pattern, writes) VALUES ($1, $2, $3) \
     ON CONFLICT (digest, pattern) DO UPDATE SET writes = excluded.writes \
     WHERE excluded.writes > api_key_grants.writes";
