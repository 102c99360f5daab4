//! Rows, and the types they hold.

use std::collections::HashMap;

use msp_core::{Access, ApiKeyRecord, ClientRecord, Grants, Link, Linked, Pattern, RegistryError};
use msp_protocol::{Digest, PublicKey, UnixSecond};
use sqlx::Row as _;
use sqlx::any::AnyRow;

use crate::error::{failed, unreadable};

/// All columns of a client, in the order that [`client`] reads them.
pub(crate) const CLIENT: &str = "SELECT public_key, name, secret, previous, previous_until, standard, expires, \
                                 disabled, classic, added, last_used, key_digest FROM clients";

/// All columns of an api key, in the order that [`api_key`] reads them.
pub(crate) const API_KEY: &str =
    "SELECT digest, name, standard, expires, allow_query, added, last_used FROM api_keys";

/// The patterns of listed grants, by the digest of the client's key or of the api key.
pub(crate) type GrantRows = HashMap<Vec<u8>, Vec<(Pattern, Access)>>;

/// A second as SQL keeps it; beyond 2⁶³ all are alike.
pub(crate) fn second(second: UnixSecond) -> i64 {
    i64::try_from(second).unwrap_or(i64::MAX)
}

/// A second as SQL kept it.
pub(crate) fn unix(second: i64) -> UnixSecond {
    u64::try_from(second).unwrap_or_default()
}

/// Reads one row of [`CLIENT`].
pub(crate) fn client(
    row: &AnyRow,
    grants: &mut GrantRows,
    place: &str,
) -> Result<ClientRecord, RegistryError> {
    let broken = |error: sqlx::Error| failed(place, &error);
    let key: Vec<u8> = row.try_get(0).map_err(broken)?;
    let key = key.try_into().map(PublicKey::from_stored).map_err(|_| unreadable(place, "key"))?;
    let flag = |column: usize| row.try_get::<i64, _>(column).map(|value| value != 0).map_err(broken);
    let grants = if flag(5)? {
        Grants::Standard
    } else {
        listed(&row.try_get::<Vec<u8>, _>(11).map_err(broken)?, grants)
    };
    Ok(ClientRecord {
        key,
        link: link(row, place)?,
        grants,
        expires: optional_second(row, 6, place)?,
        disabled: flag(7)?,
        classic: flag(8)?,
    })
}

/// Reads one row of [`API_KEY`].
pub(crate) fn api_key(
    row: &AnyRow,
    grants: &mut GrantRows,
    place: &str,
) -> Result<ApiKeyRecord, RegistryError> {
    let broken = |error: sqlx::Error| failed(place, &error);
    let stored: Vec<u8> = row.try_get(0).map_err(broken)?;
    let name: String = row.try_get(1).map_err(broken)?;
    let flag = |column: usize| row.try_get::<i64, _>(column).map(|value| value != 0).map_err(broken);
    Ok(ApiKeyRecord {
        name: name.parse().map_err(|_| unreadable(place, "name"))?,
        grants: if flag(2)? { Grants::Standard } else { listed(&stored, grants) },
        digest: digest(stored, place)?,
        expires: optional_second(row, 3, place)?,
        allow_query: flag(4)?,
        added: row.try_get(5).map(unix).map_err(broken)?,
        last_used: optional_second(row, 6, place)?,
    })
}

fn listed(digest: &[u8], grants: &mut GrantRows) -> Grants {
    Grants::Listed(grants.remove(digest).unwrap_or_default().into())
}

fn link(row: &AnyRow, place: &str) -> Result<Link, RegistryError> {
    let broken = |error: sqlx::Error| failed(place, &error);
    let Some(name) = row.try_get::<Option<String>, _>(1).map_err(broken)? else {
        return Ok(Link::Unlinked);
    };
    let stored: Option<Vec<u8>> = row.try_get(2).map_err(broken)?;
    let previous: Option<Vec<u8>> = row.try_get(3).map_err(broken)?;
    let previous = previous.map(|stored| digest(stored, place)).transpose()?;
    Ok(Link::Linked(Linked {
        name: name.parse().map_err(|_| unreadable(place, "name"))?,
        secret: digest(stored.unwrap_or_default(), place)?,
        previous: previous.zip(optional_second(row, 4, place)?),
        added: optional_second(row, 9, place)?.unwrap_or_default(),
        last_used: optional_second(row, 10, place)?,
    }))
}

fn optional_second(row: &AnyRow, column: usize, place: &str) -> Result<Option<UnixSecond>, RegistryError> {
    let value: Option<i64> = row.try_get(column).map_err(|error| failed(place, &error))?;
    Ok(value.map(unix))
}

/// Reads 32 bytes as a digest.
pub(crate) fn digest(stored: Vec<u8>, place: &str) -> Result<Digest, RegistryError> {
    stored.try_into().map(Digest::from_stored).map_err(|_| unreadable(place, "digest"))
}

/// Reads rows of digest, pattern and `writes`.
pub(crate) fn grants(rows: &[AnyRow], place: &str) -> Result<GrantRows, RegistryError> {
    let mut grants = GrantRows::new();
    for row in rows {
        let broken = |error: sqlx::Error| failed(place, &error);
        let pattern: String = row.try_get(1).map_err(broken)?;
        let pattern = pattern.parse().map_err(|_| unreadable(place, "pattern"))?;
        let access =
            if row.try_get::<i64, _>(2).map_err(broken)? == 0 { Access::Read } else { Access::Write };
        grants.entry(row.try_get(0).map_err(broken)?).or_default().push((pattern, access));
    }
    Ok(grants)
}
