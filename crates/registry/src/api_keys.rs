//! Keys of REST callers: added, listed, revoked.

use msp_core::{ApiKeyRecord, ApiKeyStore, BoxFuture, Grants, NewApiKey, RegistryError};
use msp_protocol::ClientName;
use sqlx::Row as _;

use crate::clients::describe;
use crate::open::SqlRegistry;
use crate::rows;
use crate::transaction::{Touched, event};

impl ApiKeyStore for SqlRegistry {
    fn api_keys(&self) -> BoxFuture<'_, Result<Vec<ApiKeyRecord>, RegistryError>> {
        Box::pin(async move {
            let mut keys = self.read_snapshot().await?.api_keys;
            keys.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(keys)
        })
    }

    fn add_api_key<'a>(
        &'a self,
        new: &'a NewApiKey,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.insert_api_key(new, actor))
    }

    fn revoke_api_key<'a>(
        &'a self,
        name: &'a ClientName,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.remove_api_key(name, actor))
    }
}

impl SqlRegistry {
    async fn insert_api_key(&self, new: &NewApiKey, actor: &str) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let same = "SELECT COUNT(*) FROM principals WHERE digest = $1";
        if self.count(&mut change, same, &new.digest).await? > 0 {
            return Err(RegistryError::AlreadyRegistered("the api key"));
        }
        if self.is_tombstone(&mut change, &new.digest).await? {
            return Err(RegistryError::Tombstone("the api key"));
        }
        let same = "SELECT COUNT(*) FROM principals WHERE kind = 'apikey' AND name = $1";
        if self.count(&mut change, same, new.name.as_str()).await? > 0 {
            return Err(RegistryError::AlreadyRegistered("the name"));
        }
        sqlx::query(
            "INSERT INTO principals (digest, kind, name, standard, expires, disabled, classic, allow_query, added) \
             VALUES ($1, 'apikey', $2, $3, $4, 0, 0, $5, $6)",
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
        self.insert_grants(&mut change, &new.digest, &new.grants).await?;
        let query = if new.allow_query { "; accepted from a query" } else { "" };
        let detail = format!("{}{query}", describe(&new.grants));
        let event = event(actor, "apikey.add", &new.name, detail);
        self.commit(change, Touched::Principal(new.digest), event).await
    }

    async fn remove_api_key(&self, name: &ClientName, actor: &str) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let row = sqlx::query("SELECT digest FROM principals WHERE kind = 'apikey' AND name = $1")
            .bind(name.as_str().to_owned())
            .fetch_optional(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
        let row = row.ok_or(RegistryError::NotFound("api key"))?;
        let digest = rows::digest(row.try_get("digest").map_err(|error| self.failed(error))?, self.place())?;
        self.delete_principal(&mut change, &digest).await?;
        self.add_tombstone(&mut change, &digest).await?;
        let event = event(actor, "apikey.revoke", name, String::new());
        self.commit(change, Touched::Principal(digest), event).await
    }
}
