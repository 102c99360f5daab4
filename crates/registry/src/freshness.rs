//! What servers read and write while they run: credentials, marks, days of use.

use msp_core::{
    BoxFuture, Changes, Credentials, KeptAhead, MAX_REQUEST_TTL_SEC, Marks, RegistryError, Snapshot,
    StoredMarks, Use, Uses,
};
use msp_protocol::{Digest, UnixSecond};
use sqlx::Row as _;

use crate::error::unreadable;
use crate::open::SqlRegistry;
use crate::rows;
use crate::transaction::{Touched, event};

impl Marks for SqlRegistry {
    fn marks(&self) -> BoxFuture<'_, Result<StoredMarks, RegistryError>> {
        Box::pin(self.read_marks())
    }

    fn set_accepted_until(&self, mark: UnixSecond) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            let mut change = self.change().await?;
            sqlx::query("UPDATE meta SET value = $1 WHERE name = 'accepted_until'")
                .bind(rows::second(mark))
                .execute(&mut *change.tx)
                .await
                .map_err(|error| self.failed(error))?;
            change.tx.commit().await.map_err(|error| self.failed(error))
        })
    }

    fn raise_client_mark(
        &self,
        client: Digest,
        mark: UnixSecond,
    ) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            let mut change = self.change().await?;
            sqlx::query(
                "INSERT INTO marks (key_digest, mark) VALUES ($1, $2) \
                 ON CONFLICT (key_digest) DO UPDATE SET mark = excluded.mark WHERE excluded.mark > marks.mark",
            )
            .bind(client.as_bytes().to_vec())
            .bind(rows::second(mark))
            .execute(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
            change.tx.commit().await.map_err(|error| self.failed(error))
        })
    }

    fn keep_ahead(&self, kept: Vec<KeptAhead>) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            let mut change = self.change().await?;
            for KeptAhead { client, item, ts } in kept {
                sqlx::query(
                    "INSERT INTO ahead (item, key_digest, ts) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
                )
                .bind(item.to_vec())
                .bind(client.as_bytes().to_vec())
                .bind(rows::second(ts))
                .execute(&mut *change.tx)
                .await
                .map_err(|error| self.failed(error))?;
            }
            change.tx.commit().await.map_err(|error| self.failed(error))
        })
    }

    fn forget_ahead(&self, before: UnixSecond) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            let mut change = self.change().await?;
            sqlx::query("DELETE FROM ahead WHERE ts < $1")
                .bind(rows::second(before))
                .execute(&mut *change.tx)
                .await
                .map_err(|error| self.failed(error))?;
            change.tx.commit().await.map_err(|error| self.failed(error))
        })
    }

    fn end_previous_secret(
        &self,
        client: Digest,
        secret: Digest,
    ) -> BoxFuture<'_, Result<Option<UnixSecond>, RegistryError>> {
        Box::pin(self.end_previous(client, secret))
    }
}

impl Credentials for SqlRegistry {
    fn changes<'a>(
        &'a self,
        since: u64,
        is_known: &'a (dyn Fn(&Digest) -> bool + Send + Sync),
    ) -> BoxFuture<'a, Result<Changes, RegistryError>> {
        Box::pin(self.read_changes(since, is_known))
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot, RegistryError>> {
        Box::pin(self.read_snapshot())
    }
}

impl Uses for SqlRegistry {
    fn note_uses(&self, uses: Vec<Use>) -> BoxFuture<'_, Result<(), RegistryError>> {
        Box::pin(async move {
            let mut change = self.change().await?;
            for Use { client, day } in uses {
                // Nobody is in two of them, so that all but one change nothing.
                for sql in [
                    "UPDATE principals SET last_used = $1 WHERE digest = $2",
                    "UPDATE unlinked_keys SET last_used = $1 WHERE digest = $2",
                    "UPDATE users SET last_used = $1 WHERE id = $2",
                    "UPDATE user_tokens SET last_used = $1 WHERE digest = $2",
                ] {
                    sqlx::query(sql)
                        .bind(rows::second(day))
                        .bind(client.as_bytes().to_vec())
                        .execute(&mut *change.tx)
                        .await
                        .map_err(|error| self.failed(error))?;
                }
            }
            change.tx.commit().await.map_err(|error| self.failed(error))
        })
    }
}

impl SqlRegistry {
    async fn end_previous(
        &self,
        client: Digest,
        secret: Digest,
    ) -> Result<Option<UnixSecond>, RegistryError> {
        let mut change = self.change().await?;
        let sql =
            "SELECT previous FROM principals WHERE digest = $1 AND secret = $2 AND previous IS NOT NULL";
        let found = sqlx::query(sql).bind(client.as_bytes().to_vec()).bind(secret.as_bytes().to_vec());
        let row = found.fetch_optional(&mut *change.tx).await.map_err(|error| self.failed(error))?;
        let Some(row) = row else { return Ok(None) };
        let previous = row.try_get(0).map_err(|error| self.failed(error))?;
        self.add_tombstone(&mut change, &rows::digest(previous, self.place())?).await?;
        let sql = "UPDATE principals SET previous = NULL, previous_until = NULL WHERE digest = $1";
        self.run(&mut change, sql, &client).await?;
        // No request with a time further ahead was accepted, whatever RequestTTL was.
        let highest = self.clock.unix().saturating_add(MAX_REQUEST_TTL_SEC);
        sqlx::query("UPDATE marks SET mark = $1 WHERE key_digest = $2 AND mark > $1")
            .bind(rows::second(highest))
            .bind(client.as_bytes().to_vec())
            .execute(&mut *change.tx)
            .await
            .map_err(|error| self.failed(error))?;
        let detail = "the new secret was used".to_owned();
        let event = event("server", "client.rotated", client, detail);
        self.commit(change, Touched::Principal(client), event).await?;
        Ok(Some(highest))
    }

    async fn read_marks(&self) -> Result<StoredMarks, RegistryError> {
        let clients = sqlx::query("SELECT key_digest, mark FROM marks").fetch_all(&self.pool).await;
        let clients = clients.map_err(|error| self.failed(error))?;
        let ahead = sqlx::query("SELECT item, key_digest, ts FROM ahead").fetch_all(&self.pool).await;
        let ahead = ahead.map_err(|error| self.failed(error))?;
        let digest = |row: &sqlx::any::AnyRow, column: usize| {
            rows::digest(row.try_get(column).map_err(|error| self.failed(error))?, self.place())
        };
        let second = |row: &sqlx::any::AnyRow, column: usize| {
            row.try_get(column).map(rows::unix).map_err(|error| self.failed(error))
        };
        let kept = |row: &sqlx::any::AnyRow| {
            let item: Vec<u8> = row.try_get(0).map_err(|error| self.failed(error))?;
            let item = item.try_into().map_err(|_| unreadable(self.place(), "nonce"))?;
            Ok(KeptAhead { client: digest(row, 1)?, item, ts: second(row, 2)? })
        };
        Ok(StoredMarks {
            accepted_until: self.meta("accepted_until").await?,
            clients: clients
                .iter()
                .map(|row| Ok((digest(row, 0)?, second(row, 1)?)))
                .collect::<Result<_, _>>()?,
            ahead: ahead.iter().map(kept).collect::<Result<_, RegistryError>>()?,
        })
    }
}
