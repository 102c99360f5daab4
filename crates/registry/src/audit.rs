//! The audit table.

use msp_core::{Audit, AuditEvent, AuditRow, BoxFuture, RegistryError};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::open::SqlRegistry;
use crate::rows;

impl Audit for SqlRegistry {
    fn record(&self, event: AuditEvent) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            let mut change = self.change().await?;
            self.audit_in(&mut change, event).await?;
            change.tx.commit().await.map_err(|error| self.failed(error))
        })
    }

    fn audit_rows(&self, last: usize) -> BoxFuture<'_, Result<Vec<AuditRow>, RegistryError>> {
        Box::pin(self.newest_audit_rows(last))
    }
}

impl SqlRegistry {
    async fn newest_audit_rows(&self, last: usize) -> Result<Vec<AuditRow>, RegistryError> {
        let rows =
            sqlx::query("SELECT at, actor, action, subject, detail FROM audit ORDER BY id DESC LIMIT $1")
                .bind(i64::try_from(last).unwrap_or(i64::MAX))
                .fetch_all(&self.pool)
                .await
                .map_err(|error| self.failed(error))?;
        let read = |row: &AnyRow| {
            Ok(AuditRow {
                at: rows::unix(row.try_get("at")?),
                actor: row.try_get("actor")?,
                action: row.try_get("action")?,
                subject: row.try_get("subject")?,
                detail: row.try_get("detail")?,
            })
        };
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| self.failed(error))
    }
}
