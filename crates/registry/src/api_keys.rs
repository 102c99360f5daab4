//! Keys of REST callers: added, listed, revoked.

use msp_core::{ApiKeyRecord, Grants, NewApiKey, RegistryError};
use msp_protocol::ClientName;
use sqlx::Row as _;

use crate::changes::{API_KEY_GRANT, describe, event};
use crate::open::SqlRegistry;
use crate::rows;

impl SqlRegistry {
    /// Registers an api key.
    ///
    /// # Errors
    /// [`RegistryError::AlreadyRegistered`], [`RegistryError::Tombstone`], or that it cannot be written.
    pub async fn add_api_key(&self, new: &NewApiKey, actor: &str) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let same = "SELECT COUNT(*) FROM api_keys WHERE digest = $1";
        if self.count(&mut change, same, &new.digest).await? > 0 {
            return Err(RegistryError::AlreadyRegistered("the api key"));
        }
        if self.is_tombstone(&mut change, &new.digest).await? {
            return Err(RegistryError::Tombstone("the api key"));
        }
        let same = "SELECT COUNT(*) FROM api_keys WHERE name = $1";
        if self.count(&mut change, same, new.name.as_str()).await? > 0 {
            return Err(RegistryError::AlreadyRegistered("the name"));
        }
        sqlx::query(
            "INSERT INTO api_keys (digest, name, standard, expires, allow_query, added) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(new.digest.as_bytes().to_vec())
        .bind(new.name.as_str().to_owned())
        .bind(i64::from(new.grants == Grants::Standard))
        .bind(new.expires.map(rows::second))
        .bind(i64::from(new.allow_query))
        .bind(rows::second(self.clock.unix()))
        .execute(&mut *change.tx)
        .await
        .map_err(|error| self.failed(error))?;
        self.insert_grants(&mut change, API_KEY_GRANT, &new.digest, &new.grants).await?;
        let query = if new.allow_query { "; accepted from a query" } else { "" };
        let detail = format!("{}{query}", describe(&new.grants));
        self.commit(change, event(actor, "apikey.add", &new.name, detail)).await
    }

    /// Revokes the api key of this name and leaves a tombstone; the name is free again.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], or that it cannot be written.
    pub async fn revoke_api_key(&self, name: &ClientName, actor: &str) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let row = sqlx::query("SELECT digest FROM api_keys WHERE name = $1")
            .bind(name.as_str().to_owned())
            .fetch_optional(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
        let row = row.ok_or(RegistryError::NotFound("api key"))?;
        let digest = rows::digest(row.try_get(0).map_err(|error| self.failed(error))?, self.place())?;
        self.run(&mut change, "DELETE FROM api_keys WHERE digest = $1", &digest).await?;
        self.bury(&mut change, &digest).await?;
        self.commit(change, event(actor, "apikey.revoke", name, String::new())).await
    }

    /// All api keys by name, expired ones too.
    ///
    /// # Errors
    /// [`RegistryError`] when the registry cannot be read.
    pub async fn api_keys(&self) -> Result<Vec<ApiKeyRecord>, RegistryError> {
        let mut keys = self.read_snapshot().await?.api_keys;
        keys.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(keys)
    }
}
