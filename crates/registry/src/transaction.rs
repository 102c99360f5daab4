//! Changing the registry: one transaction that leaves its audit line and says what servers are to read again.

use msp_core::{AuditEvent, RegistryError};
use msp_protocol::Digest;
use sqlx::{Any, Row as _, Transaction};
use tokio::sync::MutexGuard;

use crate::open::SqlRegistry;

/// The feed keeps this many changes one by one; a server that is further behind reads everything.
const KEPT_CHANGES: i64 = 10_000;
const TRIM: &str = "DELETE FROM changes WHERE number <= $1";

/// A change under way: committed as a whole or not at all.
pub(crate) struct Change<'a> {
    pub(crate) tx: Transaction<'static, Any>,
    _turn: MutexGuard<'a, ()>,
}

/// What servers have to read again after a change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Touched {
    /// All of it.
    Everything,
    /// The principal with this digest, or the user it stands for.
    Principal(Digest),
    /// The unlinked keys and secrets.
    Unlinked,
}

impl SqlRegistry {
    /// Begins a change; the database gives the write lock at once, so that nothing read in it can be outdated.
    pub(crate) async fn change(&self) -> Result<Change<'_>, RegistryError> {
        let turn = self.writing.lock().await;
        let tx = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failed(error))?;
        Ok(Change { tx, _turn: turn })
    }

    /// Ends a change of what servers follow: raises the generation, says what to read again, leaves the audit line, commits.
    pub(crate) async fn commit(
        &self,
        mut change: Change<'_>,
        touched: Touched,
        event: AuditEvent,
    ) -> Result<(), RegistryError> {
        self.audit_in(&mut change, event).await?;
        let raised = "UPDATE meta SET value = value + 1 WHERE name = 'generation' RETURNING value";
        let row = sqlx::query(raised).fetch_one(&mut *change.tx).await;
        let number: i64 = row.and_then(|row| row.try_get("value")).map_err(|error| self.failed(error))?;
        let (forgotten, digest) = match touched {
            Touched::Everything => ("DELETE FROM changes WHERE number <= $1", None),
            Touched::Principal(digest) => (TRIM, Some(digest.as_bytes().to_vec())),
            // One row stands for all of them, so that nothing tells the order in which they came.
            Touched::Unlinked => ("DELETE FROM changes WHERE number <= $1 AND digest IS NULL", None),
        };
        let from = match touched {
            Touched::Everything => number,
            Touched::Principal(_) => number.saturating_sub(KEPT_CHANGES),
            Touched::Unlinked => 0,
        };
        let until = if matches!(touched, Touched::Principal(_)) { from } else { number };
        let statements = [
            sqlx::query(forgotten).bind(until),
            sqlx::query("UPDATE meta SET value = MAX(value, $1) WHERE name = 'changes_from'").bind(from),
            sqlx::query("INSERT INTO changes (number, digest) VALUES ($1, $2)").bind(number).bind(digest),
        ];
        for statement in statements {
            statement.execute(&mut *change.tx).await.map_err(|error| self.failed(error))?;
        }
        change.tx.commit().await.map_err(|error| self.failed(error))
    }

    pub(crate) async fn audit_in(
        &self,
        change: &mut Change<'_>,
        event: AuditEvent,
    ) -> Result<(), RegistryError> {
        let AuditEvent { actor, action, subject, detail } = event;
        sqlx::query("INSERT INTO audit (at, actor, action, subject, detail) VALUES ($1, $2, $3, $4, $5)")
            .bind(crate::rows::second(self.clock.unix()))
            .bind(actor.replace('\0', ""))
            .bind(action)
            .bind(subject.replace('\0', ""))
            .bind(detail.replace('\0', ""))
            .execute(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
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

    pub(crate) async fn execute(
        &self,
        change: &mut Change<'_>,
        sql: &'static str,
    ) -> Result<u64, RegistryError> {
        let done = sqlx::query(sql).execute(&mut *change.tx).await.map_err(|error| self.failed(error))?;
        Ok(done.rows_affected())
    }
}

pub(crate) type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

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
