//! Where users have logged in from. Nothing of it is audited, and no server follows it.

use msp_core::{LogIn, LogInNetwork, LogInRow, MAX_LOG_INS, RegistryError};
use msp_protocol::{Digest, UnixSecond};
use sqlx::Row as _;

use crate::open::SqlRegistry;
use crate::rows::{self, LogInsRow};
use crate::transaction::{Change, Query};

const HOUR_SEC: u64 = 3600;

const IS_NOTED: &str = "SELECT COUNT(*) FROM logins \
                        WHERE user_id = $1 AND network = $2 AND way = $3 AND last >= $4 AND failures = 0";
const SUCCEEDED: &str = "INSERT INTO logins (user_id, network, way, first, last, failures) \
                         SELECT $1, $2, $3, $4, $4, 0 WHERE EXISTS (SELECT 1 FROM users WHERE id = $1) \
                         ON CONFLICT (user_id, network, way) DO UPDATE SET \
                         first = COALESCE(logins.first, excluded.first), \
                         last = MAX(COALESCE(logins.last, excluded.last), excluded.last), failures = 0";
/// A sum beyond 2³² stays there, for beyond 2⁶³ it would be no whole number any more.
const FAILED: &str = "INSERT INTO logins (user_id, network, way, failures) \
                      SELECT $1, $2, $3, MIN($4, 4294967296) WHERE EXISTS (SELECT 1 FROM users WHERE id = $1) \
                      ON CONFLICT (user_id, network, way) DO UPDATE SET \
                      failures = MIN(logins.failures + excluded.failures, 4294967296)";
/// Of a user's rows those beyond $5, but among its equals the one that was just written stays.
const MAKE_ROOM: &str = "DELETE FROM logins WHERE user_id = $1 AND (network, way) IN \
                         (SELECT network, way FROM logins WHERE user_id = $1 \
                         ORDER BY last IS NULL, last DESC, (network = $2 AND way = $3) DESC, failures DESC, network, way \
                         LIMIT $4 OFFSET $5)";
const LOG_INS_OF: &str = "SELECT network, way, first, last, failures FROM logins WHERE user_id = $1 \
                          ORDER BY last IS NULL, last DESC, network, way";

impl SqlRegistry {
    pub(super) async fn write_log_in(&self, log_in: &LogIn) -> Result<(), RegistryError> {
        let hour = rows::second(hour(self.clock.unix()));
        // A script logs in again and again, and within an hour there is nothing to write.
        let row = of(IS_NOTED, log_in).bind(hour).fetch_one(&self.pool).await;
        let noted: i64 = row.and_then(|row| row.try_get(0)).map_err(|error| self.failed(error))?;
        if noted > 0 {
            return Ok(());
        }
        let mut change = self.change().await?;
        self.note(&mut change, log_in, of(SUCCEEDED, log_in).bind(hour)).await?;
        change.tx.commit().await.map_err(|error| self.failed(error))
    }

    pub(super) async fn write_failures(&self, failed: &[(LogIn, u64)]) -> Result<(), RegistryError> {
        let mut change = self.change().await?;
        for (log_in, failures) in failed.iter().filter(|(_, failures)| *failures > 0) {
            let failures = i64::try_from(*failures).unwrap_or(i64::MAX);
            self.note(&mut change, log_in, of(FAILED, log_in).bind(failures)).await?;
        }
        change.tx.commit().await.map_err(|error| self.failed(error))
    }

    /// Writes to a row and removes the one too many.
    async fn note(
        &self,
        change: &mut Change<'_>,
        log_in: &LogIn,
        written: Query<'_>,
    ) -> Result<(), RegistryError> {
        let kept = i64::try_from(MAX_LOG_INS).unwrap_or(i64::MAX);
        for statement in [written, of(MAKE_ROOM, log_in).bind(i64::MAX).bind(kept)] {
            statement.execute(&mut *change.tx).await.map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    pub(super) async fn is_known_from(
        &self,
        user: &Digest,
        network: LogInNetwork,
        since: UnixSecond,
    ) -> Result<bool, RegistryError> {
        let row =
            sqlx::query("SELECT COUNT(*) FROM logins WHERE user_id = $1 AND network = $2 AND last >= $3")
                .bind(user.as_bytes().to_vec())
                .bind(network.to_string())
                .bind(rows::second(hour(since)))
                .fetch_one(&self.pool)
                .await;
        let known: i64 = row.and_then(|row| row.try_get(0)).map_err(|error| self.failed(error))?;
        Ok(known > 0)
    }

    pub(super) async fn read_log_ins(&self, user: &Digest) -> Result<Vec<LogInRow>, RegistryError> {
        let rows = sqlx::query_as::<_, LogInsRow>(LOG_INS_OF).bind(user.as_bytes().to_vec());
        let rows = rows.fetch_all(&self.pool).await.map_err(|error| self.failed(error))?;
        rows.into_iter().map(|row| row.read(self.place())).collect()
    }
}

/// A statement whose first parameters name a row.
fn of(sql: &'static str, log_in: &LogIn) -> Query<'static> {
    let LogIn { user, network, way } = log_in;
    sqlx::query(sql).bind(user.as_bytes().to_vec()).bind(network.to_string()).bind(way.as_str())
}

fn hour(second: UnixSecond) -> UnixSecond {
    second.saturating_sub(second % HOUR_SEC)
}
