//! Adding clients and changing linked ones. Removing them is in `removal.rs`.

use std::time::Duration;

use msp_core::{
    Access, AuditEvent, BoxFuture, ClientRecord, ClientStore, Grants, Link, NewClient, Principal, Purged,
    RegistryError, Revoked, Selector,
};
use msp_protocol::{ClientName, Digest, UnixSecond};

use crate::open::SqlRegistry;
use crate::rows::{self, DigestRow};
use crate::transaction::{Change, Touched, event};

impl ClientStore for SqlRegistry {
    fn clients(&self) -> BoxFuture<'_, Result<Vec<ClientRecord>, RegistryError>> {
        Box::pin(self.sorted_clients())
    }

    fn add_client<'a>(
        &'a self,
        new: &'a NewClient,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.add(new, actor))
    }

    fn rotate<'a>(
        &'a self,
        name: &'a ClientName,
        secret: &'a Digest,
        overlap: Duration,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<ClientRecord, RegistryError>> {
        Box::pin(self.change_secret(name, secret, overlap, actor))
    }

    fn set_expiry<'a>(
        &'a self,
        name: &'a ClientName,
        expires: Option<UnixSecond>,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.change_expiry(name, expires, actor))
    }

    fn set_disabled<'a>(
        &'a self,
        name: &'a ClientName,
        disabled: bool,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.change_disabled(name, disabled, actor))
    }

    fn set_grants<'a>(
        &'a self,
        name: &'a ClientName,
        grants: &'a Grants,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.change_grants(name, grants, actor))
    }

    fn revoke<'a>(
        &'a self,
        selector: &'a Selector,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<Revoked, RegistryError>> {
        Box::pin(self.remove(selector, actor))
    }

    fn purge<'a>(&'a self, actor: &'a str) -> BoxFuture<'a, Result<Purged, RegistryError>> {
        Box::pin(self.remove_all(actor))
    }
}

impl SqlRegistry {
    /// All clients, linked ones by name, then unlinked ones by key.
    async fn sorted_clients(&self) -> Result<Vec<ClientRecord>, RegistryError> {
        let mut clients = self.read_snapshot().await?.clients;
        clients.sort_by(|a, b| match (&a.link, &b.link) {
            (Link::Linked(a), Link::Linked(b)) => a.name.cmp(&b.name),
            (Link::Linked(_), Link::Unlinked) => std::cmp::Ordering::Less,
            (Link::Unlinked, Link::Linked(_)) => std::cmp::Ordering::Greater,
            (Link::Unlinked, Link::Unlinked) => a.key.cmp(&b.key),
        });
        Ok(clients)
    }

    async fn add(&self, new: &NewClient, actor: &str) -> Result<(), RegistryError> {
        let (mut change, mut revived) = (self.change().await?, false);
        let key = new.key.digest();
        for (digest, what) in [(key, "the key"), (new.secret, "the secret")] {
            self.refuse_known(&mut change, &digest, what).await?;
            if new.revive {
                revived |= self.lift_tombstone(&mut change, &digest).await?;
            } else if self.is_tombstone(&mut change, &digest).await? {
                return Err(RegistryError::Tombstone(what));
            }
        }
        if let Some(name) = &new.name {
            let same = self.count(&mut change, CLIENTS_NAMED, name.as_str());
            if same.await? > 0 {
                return Err(RegistryError::AlreadyRegistered("the name"));
            }
        }
        self.insert_client(&mut change, new).await?;
        let subject = new.name.as_ref().map_or_else(|| new.key.fingerprint(), ToString::to_string);
        let action = if new.name.is_some() { "client.add" } else { "client.append" };
        let touched = match &new.name {
            Some(_) => Touched::Principal(key),
            // A server may know its key as what it was before, and would not look what it is now.
            None if revived => Touched::Everything,
            None => Touched::Unlinked,
        };
        self.commit(change, touched, event(actor, action, subject, describe(&new.grants))).await?;
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
        let key = new.key.digest();
        let standard = i64::from(new.grants == Grants::Standard);
        let expires = new.expires.map(rows::second);
        let done = match &new.name {
            Some(name) => {
                sqlx::query(
                    "INSERT INTO principals (digest, kind, public_key, standard, expires, name, secret, disabled, classic, \
                     allow_query, added) VALUES ($1, 'client', $2, $3, $4, $5, $6, 0, $7, 0, $8)",
                )
                .bind(key.as_bytes().to_vec())
                .bind(new.key.as_bytes().to_vec())
                .bind(standard)
                .bind(expires)
                .bind(name.as_str().to_owned())
                .bind(new.secret.as_bytes().to_vec())
                .bind(i64::from(new.classic))
                .bind(rows::second(self.clock.unix()))
                .execute(&mut *change.tx)
                .await
            }
            None => {
                sqlx::query(
                    "INSERT INTO unlinked_keys (digest, public_key, standard, expires) VALUES ($1, $2, $3, $4)",
                )
                .bind(key.as_bytes().to_vec())
                .bind(new.key.as_bytes().to_vec())
                .bind(standard)
                .bind(expires)
                .execute(&mut *change.tx)
                .await
            }
        };
        done.map_err(|error| self.failed(error))?;
        if new.name.is_none() {
            self.insert_secret(change, &new.secret).await?;
        }
        self.insert_grants(change, &key, &new.grants).await
    }

    pub(crate) async fn insert_secret(
        &self,
        change: &mut Change<'_>,
        secret: &Digest,
    ) -> Result<(), RegistryError> {
        self.run(change, "INSERT INTO unlinked_secrets (digest) VALUES ($1)", secret).await.map(drop)
    }

    /// Inserts listed grants. Of a pattern granted twice, to read and to write, the latter stays.
    pub(crate) async fn insert_grants(
        &self,
        change: &mut Change<'_>,
        key: &Digest,
        grants: &Grants,
    ) -> Result<(), RegistryError> {
        self.insert_grants_by(change, GRANT, key, grants).await
    }

    /// The same by a statement whose parameters are a digest, a pattern, and 1 where it is granted to write.
    pub(crate) async fn insert_grants_by(
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

    async fn change_secret(
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
            self.add_tombstone(&mut change, older).await?;
        }
        let until = self.clock.unix().saturating_add(overlap.as_secs());
        let key = client.key.digest();
        sqlx::query(
            "UPDATE principals SET secret = $1, previous = $2, previous_until = $3 WHERE digest = $4",
        )
        .bind(secret.as_bytes().to_vec())
        .bind(linked.secret.as_bytes().to_vec())
        .bind(rows::second(until))
        .bind(key.as_bytes().to_vec())
        .execute(&mut *change.tx)
        .await
        .map_err(|error| self.failed(error))?;
        let detail = format!("the old secret ends in {} s at the latest", overlap.as_secs());
        self.commit(change, Touched::Principal(key), event(actor, "client.rotate", name, detail)).await?;
        Ok(client)
    }

    async fn change_expiry(
        &self,
        name: &ClientName,
        expires: Option<UnixSecond>,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let event = event(actor, "client.expire", name, describe_expiry(expires));
        let sql = "UPDATE principals SET expires = $1 WHERE digest = $2";
        self.set(name, sql, expires.map(rows::second), event).await
    }

    async fn change_disabled(
        &self,
        name: &ClientName,
        disabled: bool,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let action = if disabled { "client.disable" } else { "client.enable" };
        let event = event(actor, action, name, String::new());
        let sql = "UPDATE principals SET disabled = $1 WHERE digest = $2";
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
        let key = self.linked(&mut change, name).await?.key.digest();
        let done = sqlx::query(sql).bind(value).bind(key.as_bytes().to_vec()).execute(&mut *change.tx).await;
        done.map_err(|error| self.failed(error))?;
        self.commit(change, Touched::Principal(key), event).await
    }

    async fn change_grants(
        &self,
        name: &ClientName,
        grants: &Grants,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let key = self.linked(&mut change, name).await?.key.digest();
        self.run(&mut change, "DELETE FROM grants WHERE digest = $1", &key).await?;
        let sql = match grants {
            Grants::Standard => "UPDATE principals SET standard = 1 WHERE digest = $1",
            Grants::Listed(_) => "UPDATE principals SET standard = 0 WHERE digest = $1",
        };
        self.run(&mut change, sql, &key).await?;
        self.insert_grants(&mut change, &key, grants).await?;
        self.commit(change, Touched::Principal(key), event(actor, "client.grant", name, describe(grants)))
            .await
    }

    pub(crate) async fn linked(
        &self,
        change: &mut Change<'_>,
        name: &ClientName,
    ) -> Result<ClientRecord, RegistryError> {
        let sql = "SELECT digest FROM principals WHERE kind = 'client' AND name = $1";
        let row = sqlx::query_as::<_, DigestRow>(sql).bind(name.as_str().to_owned());
        let row = row.fetch_optional(&mut *change.tx).await.map_err(|error| self.failed(error))?;
        let digest = row.ok_or(RegistryError::NotFound("linked client"))?.read(self.place())?;
        match self.principal(&mut change.tx, &digest).await? {
            Some(Principal::Client(client)) => Ok(client),
            Some(Principal::ApiKey(_)) | None => Err(RegistryError::NotFound("linked client")),
        }
    }

    /// Refuses a key or a secret that anybody has.
    async fn refuse_known(
        &self,
        change: &mut Change<'_>,
        digest: &Digest,
        what: &'static str,
    ) -> Result<(), RegistryError> {
        for sql in [
            "SELECT COUNT(*) FROM principals WHERE digest = $1 OR secret = $1 OR previous = $1",
            "SELECT COUNT(*) FROM unlinked_keys WHERE digest = $1",
            "SELECT COUNT(*) FROM unlinked_secrets WHERE digest = $1",
        ] {
            if self.count(change, sql, digest).await? > 0 {
                return Err(RegistryError::AlreadyRegistered(what));
            }
        }
        Ok(())
    }
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

pub(crate) fn describe_expiry(expires: Option<UnixSecond>) -> String {
    expires.map_or_else(|| "never".to_owned(), |second| format!("at Unix second {second}"))
}

const CLIENTS_NAMED: &str = "SELECT COUNT(*) FROM principals WHERE kind = 'client' AND name = $1";

const GRANT: &str = "INSERT INTO grants (digest, pattern, writes) VALUES ($1, $2, $3) \
                     ON CONFLICT (digest, pattern) DO UPDATE SET writes = excluded.writes \
                     WHERE excluded.writes > grants.writes";
