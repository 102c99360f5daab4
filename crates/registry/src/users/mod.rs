//! Users: found by name and by what stands for them, one by one, because no start reads them.

mod change;
mod log_ins;
mod tokens;

use msp_core::{
    BoxFuture, LogIn, LogInNetwork, LogInRow, NewUser, NewUserToken, RegistryError, UserChange, UserRecord,
    UserToken, Users,
};
use msp_protocol::{ClientName, Digest, UnixSecond, UserName};
use sqlx::FromRow as _;

use crate::open::SqlRegistry;
use crate::reading::Reading;
use crate::rows::{GrantRows, UserRow};
use crate::transaction::Parameter;

macro_rules! users {
    ($which:literal) => {
        concat!(
            "SELECT id, name, password, role, standard, epoch, expires, disabled, added, last_used FROM users",
            $which
        )
    };
}
const BY_ID: &str = users!(" WHERE id = $1");
const BY_NAME: &str = users!(" WHERE name = $1");
const ALL: &str = users!(" ORDER BY name");
const GRANTS: &str = "SELECT user_id AS digest, pattern, writes FROM user_grants";
const GRANTS_OF: &str = "SELECT user_id AS digest, pattern, writes FROM user_grants WHERE user_id = $1";

impl Users for SqlRegistry {
    fn find_user<'a>(
        &'a self,
        name: &'a UserName,
    ) -> BoxFuture<'a, Result<Option<UserRecord>, RegistryError>> {
        Box::pin(self.read_user(BY_NAME, name.as_str()))
    }

    fn user_of<'a>(&'a self, id: &'a Digest) -> BoxFuture<'a, Result<Option<UserRecord>, RegistryError>> {
        Box::pin(self.read_user(BY_ID, id))
    }

    fn users(&self) -> BoxFuture<'_, Result<Vec<UserRecord>, RegistryError>> {
        Box::pin(self.read_users())
    }

    fn add_user<'a>(&'a self, new: &'a NewUser, actor: &'a str) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.insert_user(new, actor))
    }

    fn change_user<'a>(
        &'a self,
        name: &'a UserName,
        change: UserChange,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<UserRecord, RegistryError>> {
        Box::pin(self.alter_user(name, change, actor))
    }

    fn rehash_password<'a>(
        &'a self,
        user: &'a Digest,
        old: &'a str,
        new: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.replace_hash(user, old, new))
    }

    fn remove_user<'a>(
        &'a self,
        name: &'a UserName,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.delete_user(name, actor))
    }

    fn find_token<'a>(
        &'a self,
        digest: &'a Digest,
    ) -> BoxFuture<'a, Result<Option<UserToken>, RegistryError>> {
        Box::pin(self.read_token(digest))
    }

    fn tokens<'a>(&'a self, name: &'a UserName) -> BoxFuture<'a, Result<Vec<UserToken>, RegistryError>> {
        Box::pin(self.tokens_of(name))
    }

    fn add_token<'a>(
        &'a self,
        name: &'a UserName,
        new: &'a NewUserToken,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.insert_token(name, new, actor))
    }

    fn revoke_token<'a>(
        &'a self,
        name: &'a UserName,
        label: &'a ClientName,
        actor: &'a str,
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.delete_token(name, label, actor))
    }

    fn note_log_in<'a>(&'a self, log_in: &'a LogIn) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.write_log_in(log_in))
    }

    fn note_failed_log_ins<'a>(
        &'a self,
        failed: &'a [(LogIn, u64)],
    ) -> BoxFuture<'a, Result<(), RegistryError>> {
        Box::pin(self.write_failures(failed))
    }

    fn has_logged_in<'a>(
        &'a self,
        user: &'a Digest,
        network: LogInNetwork,
        since: UnixSecond,
    ) -> BoxFuture<'a, Result<bool, RegistryError>> {
        Box::pin(self.is_known_from(user, network, since))
    }

    fn log_ins<'a>(&'a self, user: &'a Digest) -> BoxFuture<'a, Result<Vec<LogInRow>, RegistryError>> {
        Box::pin(self.read_log_ins(user))
    }
}

impl SqlRegistry {
    async fn read_user(
        &self,
        sql: &'static str,
        value: impl Parameter,
    ) -> Result<Option<UserRecord>, RegistryError> {
        let mut tx = self.pool.begin().await.map_err(|error| self.failed(error))?;
        self.user_in(&mut tx, sql, value).await
    }

    /// The user with its grants, as both are at one moment.
    async fn user_in(
        &self,
        tx: &mut Reading,
        sql: &'static str,
        value: impl Parameter,
    ) -> Result<Option<UserRecord>, RegistryError> {
        let row = value.bind(sqlx::query(sql)).fetch_optional(&mut **tx).await;
        let Some(row) = row.map_err(|error| self.failed(error))? else { return Ok(None) };
        let user = UserRow::from_row(&row).map_err(|error| self.failed(error))?;
        let mut grants = match user.id_of_listed(self.place())? {
            Some(id) => self.grants_of(tx, GRANTS_OF, &id).await?,
            None => GrantRows::new(),
        };
        user.read(&mut grants, self.place()).map(Some)
    }

    async fn user_named(&self, tx: &mut Reading, name: &UserName) -> Result<UserRecord, RegistryError> {
        self.user_in(tx, BY_NAME, name.as_str()).await?.ok_or(RegistryError::NotFound("user"))
    }

    async fn read_users(&self) -> Result<Vec<UserRecord>, RegistryError> {
        let mut tx = self.pool.begin().await.map_err(|error| self.failed(error))?;
        let mut grants = self.all_grants(&mut tx, GRANTS).await?;
        let mut users = Vec::new();
        self.each(&mut tx, ALL, |row: UserRow| {
            users.push(row.read(&mut grants, self.place())?);
            Ok(())
        })
        .await?;
        Ok(users)
    }
}
