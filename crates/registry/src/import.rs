//! Taking in clients of the original.

use msp_core::{BoxFuture, Import, Imported, OriginalClients, RegistryError};
use msp_protocol::{Digest, PublicKey};

use crate::open::SqlRegistry;
use crate::transaction::{Change, Touched, event};

impl Import for SqlRegistry {
    fn import(
        &self,
        clients: OriginalClients,
        revive: bool,
    ) -> BoxFuture<'_, Result<Imported, RegistryError>> {
        Box::pin(self.insert_unknown(clients, revive))
    }
}

impl SqlRegistry {
    async fn insert_unknown(
        &self,
        clients: OriginalClients,
        revive: bool,
    ) -> Result<Imported, RegistryError> {
        let OriginalClients { keys, secrets } = clients;
        let mut imported = Imported::default();
        if keys.is_empty() && secrets.is_empty() {
            return Ok(imported);
        }
        let (mut change, mut revived) = (self.change().await?, false);
        for key in keys {
            if self.is_new(&mut change, &key.digest(), revive, &mut revived).await? {
                self.insert_imported_key(&mut change, key).await?;
                imported.keys_added += 1;
            }
        }
        for secret in secrets {
            if self.is_new(&mut change, &secret, revive, &mut revived).await? {
                self.insert_secret(&mut change, &secret).await?;
                imported.secrets_added += 1;
            }
        }
        if imported.keys_added + imported.secrets_added > 0 {
            let detail = format!("{} keys, {} secrets", imported.keys_added, imported.secrets_added);
            let event = event("import", "client.import", "the original's files", detail);
            let touched = if revived { Touched::Everything } else { Touched::Unlinked };
            self.commit(change, touched, event).await?;
            self.empty_log().await;
        }
        Ok(imported)
    }

    async fn is_new(
        &self,
        change: &mut Change<'_>,
        digest: &Digest,
        revive: bool,
        revived: &mut bool,
    ) -> Result<bool, RegistryError> {
        let known = "SELECT (SELECT COUNT(*) FROM principals WHERE digest = $1 OR secret = $1 OR previous = $1) \
                     + (SELECT COUNT(*) FROM unlinked_keys WHERE digest = $1) \
                     + (SELECT COUNT(*) FROM unlinked_secrets WHERE digest = $1)";
        if self.count(change, known, digest).await? > 0 {
            return Ok(false);
        }
        if revive {
            *revived |= self.lift_tombstone(change, digest).await?;
            return Ok(true);
        }
        Ok(!self.is_tombstone(change, digest).await?)
    }

    async fn insert_imported_key(
        &self,
        change: &mut Change<'_>,
        key: PublicKey,
    ) -> Result<(), RegistryError> {
        sqlx::query("INSERT INTO unlinked_keys (digest, public_key, standard) VALUES ($1, $2, 1)")
            .bind(key.digest().as_bytes().to_vec())
            .bind(key.as_bytes().to_vec())
            .execute(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(())
    }
}
