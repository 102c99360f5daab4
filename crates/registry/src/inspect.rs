//! Inspecting a registry without changing anything, beside the server that may be using it.

use std::path::Path;
use std::sync::Once;

use msp_core::{RegistryError, registry_file};
use sqlx::{AnyConnection, Connection as _, Row as _};

use crate::error::failed;
use crate::sqlite::{newest_schema, read_only_url, schema_version};

/// How many clients a start would find in the registry; none when there is no registry yet.
///
/// # Errors
/// What would keep a server from opening it: [`RegistryError::Unavailable`], [`RegistryError::Corrupt`],
/// [`RegistryError::Newer`].
pub async fn count_clients(url: &str) -> Result<Option<usize>, RegistryError> {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
    let Some(path) = registry_file(url) else { return Ok(None) };
    let place = path.display().to_string();
    match path.try_exists() {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        Err(error) => return Err(RegistryError::Unavailable(place, error.to_string())),
    }
    let broken = |error: sqlx::Error| failed(&place, &error);
    let url = read_only_url(path, has_log(path));
    let mut connection = AnyConnection::connect(&url).await.map_err(broken)?;
    let (found, known) = (schema_version(&mut connection, &place).await?, newest_schema());
    if found > known {
        return Err(RegistryError::Newer { place, found, known });
    }
    // A schema older than the first has no clients yet.
    let clients = match found {
        0 => 0,
        found => {
            let sql = if found < PRINCIPALS { OLD_COUNT } else { COUNT };
            let row = sqlx::query(sql).fetch_one(&mut connection).await;
            row.and_then(|row| row.try_get::<i64, _>(0)).map_err(broken)?
        }
    };
    connection.close().await.map_err(broken)?;
    Ok(Some(usize::try_from(clients).unwrap_or_default()))
}

/// The schema since which linked and unlinked clients have tables of their own.
const PRINCIPALS: i64 = 4;
const OLD_COUNT: &str = "SELECT COUNT(*) FROM clients";
const COUNT: &str =
    "SELECT (SELECT COUNT(*) FROM principals WHERE kind = 'client') + (SELECT COUNT(*) FROM unlinked_keys)";

/// Whether the database's write-ahead log lies beside it: it does while anybody has the registry open, and after a
/// kill. Without it the file alone is all there is, and can be read as it lies.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Path::new(&log).exists()
}
