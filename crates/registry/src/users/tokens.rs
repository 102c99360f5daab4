//! Personal tokens. Each that is revoked leaves a tombstone, as an api key does.

use msp_core::{NewUserToken, RegistryError, UserToken};
use msp_protocol::{ClientName, Digest, UserName};

use crate::open::SqlRegistry;
use crate::rows::{self, DigestRow, TokenRow};
use crate::transaction::{Change, Touched, event};

const TOKEN: &str =
    "SELECT digest, user_id, label, expires, added, last_used FROM user_tokens WHERE digest = $1";
const TOKENS_OF: &str = "SELECT digest, user_id, label, expires, added, last_used FROM user_tokens \
                         WHERE user_id = $1 ORDER BY label";
const LABELLED: &str = "SELECT digest FROM user_tokens WHERE user_id = $1 AND label = $2";

impl SqlRegistry {
    pub(super) async fn read_token(&self, digest: &Digest) -> Result<Option<UserToken>, RegistryError> {
        let row = sqlx::query_as::<_, TokenRow>(TOKEN).bind(digest.as_bytes().to_vec());
        let row = row.fetch_optional(&self.pool).await.map_err(|error| self.failed(error))?;
        row.map(|row| row.read(self.place())).transpose()
    }

    pub(super) async fn tokens_of(&self, name: &UserName) -> Result<Vec<UserToken>, RegistryError> {
        let mut tx = self.pool.begin().await.map_err(|error| self.failed(error))?;
        let user = self.user_named(&mut tx, name).await?.id;
        let rows = sqlx::query_as::<_, TokenRow>(TOKENS_OF).bind(user.as_bytes().to_vec());
        let rows = rows.fetch_all(&mut *tx).await.map_err(|error| self.failed(error))?;
        rows.into_iter().map(|row| row.read(self.place())).collect()
    }

    pub(super) async fn insert_token(
        &self,
        name: &UserName,
        new: &NewUserToken,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let user = self.user_named(&mut change.tx, name).await?.id;
        let same = "SELECT COUNT(*) FROM user_tokens WHERE digest = $1";
        if self.count(&mut change, same, &new.digest).await? > 0 {
            return Err(RegistryError::AlreadyRegistered("the token"));
        }
        if self.is_tombstone(&mut change, &new.digest).await? {
            return Err(RegistryError::Tombstone("the token"));
        }
        if self.token_labelled(&mut change, &user, &new.label).await?.is_some() {
            return Err(RegistryError::AlreadyRegistered("the label"));
        }
        sqlx::query(
            "INSERT INTO user_tokens (digest, user_id, label, expires, added) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(new.digest.as_bytes().to_vec())
        .bind(user.as_bytes().to_vec())
        .bind(new.label.as_str().to_owned())
        .bind(new.expires.map(rows::second))
        .bind(rows::second(self.clock.unix()))
        .execute(&mut *change.tx)
        .await
        .map_err(|error| self.failed(error))?;
        let event = event(actor, "user.token.add", name, new.label.to_string());
        self.commit(change, Touched::Principal(user), event).await
    }

    pub(super) async fn delete_token(
        &self,
        name: &UserName,
        label: &ClientName,
        actor: &str,
    ) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let user = self.user_named(&mut change.tx, name).await?.id;
        let digest = self.token_labelled(&mut change, &user, label).await?;
        let digest = digest.ok_or(RegistryError::NotFound("token"))?;
        self.run(&mut change, "DELETE FROM user_tokens WHERE digest = $1", &digest).await?;
        self.add_tombstone(&mut change, &digest).await?;
        let event = event(actor, "user.token.revoke", name, label.to_string());
        self.commit(change, Touched::Principal(user), event).await
    }

    /// Revokes all tokens of a user.
    pub(super) async fn delete_tokens_of(
        &self,
        change: &mut Change<'_>,
        user: &Digest,
    ) -> Result<(), RegistryError> {
        for sql in [
            "INSERT INTO tombstones (digest) SELECT digest FROM user_tokens WHERE user_id = $1 ON CONFLICT DO NOTHING",
            "DELETE FROM user_tokens WHERE user_id = $1",
        ] {
            self.run(change, sql, user).await?;
        }
        Ok(())
    }

    async fn token_labelled(
        &self,
        change: &mut Change<'_>,
        user: &Digest,
        label: &ClientName,
    ) -> Result<Option<Digest>, RegistryError> {
        let row = sqlx::query_as::<_, DigestRow>(LABELLED);
        let row = row.bind(user.as_bytes().to_vec()).bind(label.as_str().to_owned());
        let row = row.fetch_optional(&mut *change.tx).await.map_err(|error| self.failed(error))?;
        row.map(|row| row.read(self.place())).transpose()
    }
}
