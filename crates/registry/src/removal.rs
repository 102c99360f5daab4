//! Removing clients, and remembering that they were there.

use msp_core::{Link, Principal, Purged, RegistryError, Revoked, Selector};
use msp_protocol::Digest;

use crate::open::SqlRegistry;
use crate::rows::DigestRow;
use crate::transaction::{Change, Touched, event};

impl SqlRegistry {
    pub(crate) async fn remove(&self, what: &Selector, actor: &str) -> Result<Revoked, RegistryError> {
        let mut change = self.change().await?;
        let (key, missing) = match what {
            Selector::Key(key) => (Some(key.digest()), "key"),
            Selector::Name(name) => {
                (Some(self.linked(&mut change, name).await?.key.digest()), "linked client")
            }
            Selector::Secret(secret) => (self.owner(&mut change, secret).await?, "secret"),
        };
        let (revoked, subject) = match (key, what) {
            (Some(key), _) => {
                self.remove_client(&mut change, &key).await?.ok_or(RegistryError::NotFound(missing))?
            }
            (None, Selector::Secret(secret)) => {
                if self.run(&mut change, "DELETE FROM unlinked_secrets WHERE digest = $1", secret).await? == 0
                {
                    return Err(RegistryError::NotFound(missing));
                }
                self.add_tombstone(&mut change, secret).await?;
                (Revoked::UnlinkedSecret, "an unlinked secret".to_owned())
            }
            (None, _) => return Err(RegistryError::NotFound(missing)),
        };
        let touched = match (&revoked, key) {
            (Revoked::Linked(_), Some(key)) => Touched::Principal(key),
            _ => Touched::Unlinked,
        };
        self.commit(change, touched, event(actor, "client.revoke", subject, String::new())).await?;
        self.empty_log().await;
        Ok(revoked)
    }

    /// The key of the linked client that has this secret.
    async fn owner(&self, change: &mut Change<'_>, secret: &Digest) -> Result<Option<Digest>, RegistryError> {
        let row = sqlx::query_as::<_, DigestRow>(
            "SELECT digest FROM principals WHERE secret = $1 OR previous = $1",
        )
        .bind(secret.as_bytes().to_vec())
        .fetch_optional(&mut *change.tx)
        .await
        .map_err(|error| self.failed(error))?;
        row.map(|row| row.read(self.place())).transpose()
    }

    /// Deletes a client and buries its key and its secrets.
    async fn remove_client(
        &self,
        change: &mut Change<'_>,
        key: &Digest,
    ) -> Result<Option<(Revoked, String)>, RegistryError> {
        let Some(Principal::Client(client)) = self.principal(&mut change.tx, key).await? else {
            if self.run(change, "DELETE FROM unlinked_keys WHERE digest = $1", key).await? == 0 {
                return Ok(None);
            }
            self.run(change, "DELETE FROM grants WHERE digest = $1", key).await?;
            self.add_tombstone(change, key).await?;
            return Ok(Some((Revoked::UnlinkedKey, key.fingerprint())));
        };
        self.delete_principal(change, key).await?;
        self.add_tombstone(change, key).await?;
        let Link::Linked(linked) = client.link else { return Ok(None) };
        self.add_tombstone(change, &linked.secret).await?;
        if let Some((previous, _)) = linked.previous {
            self.add_tombstone(change, &previous).await?;
        }
        let subject = linked.name.to_string();
        Ok(Some((Revoked::Linked(linked.name), subject)))
    }

    /// Deletes a principal with what is granted to it.
    pub(crate) async fn delete_principal(
        &self,
        change: &mut Change<'_>,
        digest: &Digest,
    ) -> Result<(), RegistryError> {
        self.run(change, "DELETE FROM grants WHERE digest = $1", digest).await?;
        self.run(change, "DELETE FROM principals WHERE digest = $1", digest).await.map(drop)
    }

    /// Removes everyone in one transaction.
    pub(crate) async fn remove_all(&self, actor: &str) -> Result<Purged, RegistryError> {
        let mut change = self.change().await?;
        for sql in [
            "INSERT INTO tombstones (digest) SELECT digest FROM principals WHERE kind = 'client' ON CONFLICT DO NOTHING",
            "INSERT INTO tombstones (digest) SELECT secret FROM principals WHERE secret IS NOT NULL ON CONFLICT DO NOTHING",
            "INSERT INTO tombstones (digest) SELECT previous FROM principals WHERE previous IS NOT NULL \
             ON CONFLICT DO NOTHING",
            "INSERT INTO tombstones (digest) SELECT digest FROM unlinked_keys WHERE TRUE ON CONFLICT DO NOTHING",
            "INSERT INTO tombstones (digest) SELECT digest FROM unlinked_secrets WHERE TRUE ON CONFLICT DO NOTHING",
            "DELETE FROM grants WHERE digest NOT IN (SELECT digest FROM principals WHERE kind <> 'client')",
        ] {
            self.execute(&mut change, sql).await?;
        }
        let linked = self.execute(&mut change, "DELETE FROM principals WHERE kind = 'client'").await?;
        let clients = linked + self.execute(&mut change, "DELETE FROM unlinked_keys").await?;
        let secrets = self.execute(&mut change, "DELETE FROM unlinked_secrets").await?;
        let detail = format!("{clients} clients, {secrets} unlinked secrets");
        self.commit(change, Touched::Everything, event(actor, "client.purge", "everyone", detail)).await?;
        self.empty_log().await;
        Ok(Purged { clients, secrets })
    }

    pub(crate) async fn add_tombstone(
        &self,
        change: &mut Change<'_>,
        digest: &Digest,
    ) -> Result<(), RegistryError> {
        let sql = "INSERT INTO tombstones (digest) VALUES ($1) ON CONFLICT DO NOTHING";
        self.run(change, sql, digest).await.map(drop)
    }

    pub(crate) async fn is_tombstone(
        &self,
        change: &mut Change<'_>,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        Ok(self.count(change, "SELECT COUNT(*) FROM tombstones WHERE digest = $1", digest).await? > 0)
    }

    /// Lets a digest come back; true when it had a tombstone.
    pub(crate) async fn lift_tombstone(
        &self,
        change: &mut Change<'_>,
        digest: &Digest,
    ) -> Result<bool, RegistryError> {
        Ok(self.run(change, "DELETE FROM tombstones WHERE digest = $1", digest).await? > 0)
    }
}
