//! Adding, changing and removing users. Each change is told to servers by what stands for the user.

use msp_core::{AuditEvent, Grants, NewUser, RegistryError, UserChange, UserRecord};
use msp_protocol::{Digest, UserName};

use crate::clients::{describe, describe_expiry};
use crate::open::SqlRegistry;
use crate::rows;
use crate::transaction::{Change, Query, Touched, event};

const INSERT: &str = "INSERT INTO users (id, name, password, role, standard, epoch, expires, disabled, added) \
                      VALUES ($1, $2, $3, $4, $5, 0, $6, 0, $7)";
const GRANT: &str = "INSERT INTO user_grants (user_id, pattern, writes) VALUES ($1, $2, $3) \
                     ON CONFLICT (user_id, pattern) DO UPDATE SET writes = excluded.writes \
                     WHERE excluded.writes > user_grants.writes";

impl SqlRegistry {
    pub(super) async fn insert_user(&self, new: &NewUser, actor: &str) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        if self.count(&mut change, "SELECT COUNT(*) FROM users WHERE id = $1", &new.id).await? > 0 {
            return Err(RegistryError::AlreadyRegistered("the user"));
        }
        if self.is_tombstone(&mut change, &new.id).await? {
            return Err(RegistryError::Tombstone("the user"));
        }
        let same = "SELECT COUNT(*) FROM users WHERE name = $1";
        if self.count(&mut change, same, new.name.as_str()).await? > 0 {
            return Err(RegistryError::AlreadyRegistered("the name"));
        }
        sqlx::query(INSERT)
            .bind(new.id.as_bytes().to_vec())
            .bind(new.name.as_str().to_owned())
            .bind(new.password.to_string())
            .bind(new.role.as_str())
            .bind(standard(new.listed.as_ref()))
            .bind(new.expires.map(rows::second))
            .bind(rows::second(self.clock.unix()))
            .execute(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
        let role = new.role.as_str();
        let detail = match &new.listed {
            Some(listed) => {
                self.insert_grants_by(&mut change, GRANT, &new.id, listed).await?;
                format!("{role}; {}", describe(listed))
            }
            None => role.to_owned(),
        };
        self.commit(change, Touched::Principal(new.id), event(actor, "user.add", &new.name, detail)).await
    }

    pub(super) async fn alter_user(
        &self,
        name: &UserName,
        what: UserChange,
        actor: &str,
    ) -> Result<UserRecord, RegistryError> {
        let mut change = self.change().await?;
        let id = self.user_named(&mut change.tx, name).await?.id;
        let event = audited(name, &what, actor);
        if ends_sessions(&what) {
            self.run(&mut change, "UPDATE users SET epoch = epoch + 1 WHERE id = $1", &id).await?;
        }
        self.apply(&mut change, &id, what).await?;
        let user = self.user_named(&mut change.tx, name).await?;
        self.commit(change, Touched::Principal(id), event).await?;
        Ok(user)
    }

    async fn apply(
        &self,
        change: &mut Change<'_>,
        id: &Digest,
        what: UserChange,
    ) -> Result<(), RegistryError> {
        let update = match what {
            UserChange::EndSessions => return Ok(()),
            UserChange::Disabled(disabled) => {
                sqlx::query("UPDATE users SET disabled = $1 WHERE id = $2").bind(i64::from(disabled))
            }
            UserChange::Expires(expires) => {
                sqlx::query("UPDATE users SET expires = $1 WHERE id = $2").bind(expires.map(rows::second))
            }
            UserChange::Grants(listed) => {
                self.run(change, "DELETE FROM user_grants WHERE user_id = $1", id).await?;
                if let Some(listed) = &listed {
                    self.insert_grants_by(change, GRANT, id, listed).await?;
                }
                sqlx::query("UPDATE users SET standard = $1 WHERE id = $2").bind(standard(listed.as_ref()))
            }
            UserChange::Password { hash, end_tokens } => {
                if end_tokens {
                    self.delete_tokens_of(change, id).await?;
                }
                sqlx::query("UPDATE users SET password = $1 WHERE id = $2").bind(hash.to_string())
            }
            UserChange::Role(role) => {
                sqlx::query("UPDATE users SET role = $1 WHERE id = $2").bind(role.as_str())
            }
        };
        self.update_user(change, id, update).await
    }

    async fn update_user(
        &self,
        change: &mut Change<'_>,
        id: &Digest,
        update: Query<'_>,
    ) -> Result<(), RegistryError> {
        let done = update.bind(id.as_bytes().to_vec()).execute(&mut *change.tx).await;
        done.map(drop).map_err(|error| self.failed(error))
    }

    pub(super) async fn replace_hash(
        &self,
        user: &Digest,
        old: &str,
        new: &str,
    ) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        sqlx::query("UPDATE users SET password = $1 WHERE id = $2 AND password = $3")
            .bind(new.to_owned())
            .bind(user.as_bytes().to_vec())
            .bind(old.to_owned())
            .execute(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
        change.tx.commit().await.map_err(|error| self.failed(error))
    }

    pub(super) async fn delete_user(&self, name: &UserName, actor: &str) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        let id = self.user_named(&mut change.tx, name).await?.id;
        self.delete_tokens_of(&mut change, &id).await?;
        for sql in [
            "DELETE FROM user_grants WHERE user_id = $1",
            "DELETE FROM logins WHERE user_id = $1",
            "DELETE FROM users WHERE id = $1",
        ] {
            self.run(&mut change, sql, &id).await?;
        }
        self.add_tombstone(&mut change, &id).await?;
        self.commit(change, Touched::Principal(id), event(actor, "user.remove", name, String::new())).await
    }
}

/// How the column of this name says what a user may call.
fn standard(listed: Option<&Grants>) -> Option<i64> {
    listed.map(|grants| i64::from(*grants == Grants::Standard))
}

/// Whether what is logged in before the change ends with it.
fn ends_sessions(what: &UserChange) -> bool {
    match what {
        UserChange::Disabled(disabled) => *disabled,
        UserChange::EndSessions | UserChange::Password { .. } | UserChange::Role(_) => true,
        UserChange::Expires(_) | UserChange::Grants(_) => false,
    }
}

fn audited(name: &UserName, what: &UserChange, actor: &str) -> AuditEvent {
    let (action, detail) = match what {
        UserChange::Disabled(true) => ("user.disable", String::new()),
        UserChange::Disabled(false) => ("user.enable", String::new()),
        UserChange::EndSessions => ("user.sessions", "all ended".to_owned()),
        UserChange::Expires(expires) => ("user.expire", describe_expiry(*expires)),
        UserChange::Grants(Some(listed)) => ("user.grant", describe(listed)),
        UserChange::Grants(None) => ("user.grant", "what the role gives".to_owned()),
        UserChange::Password { end_tokens: true, .. } => ("user.password", "all tokens revoked".to_owned()),
        UserChange::Password { end_tokens: false, .. } => ("user.password", String::new()),
        UserChange::Role(role) => ("user.role", role.as_str().to_owned()),
    };
    event(actor, action, name, detail)
}
