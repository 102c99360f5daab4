//! Rows, and the types they hold.

use std::collections::HashMap;

use msp_core::{
    Access, ApiKeyRecord, ClientRecord, Grants, Link, Linked, LogInRow, Pattern, RegistryError, Role,
    UserRecord, UserToken, Way,
};
use msp_protocol::{Digest, PublicKey, UnixSecond};

use crate::error::unreadable;

/// The patterns of listed grants, by the digest of whom they are granted to.
pub(crate) type GrantRows = HashMap<Vec<u8>, Vec<(Pattern, Access)>>;

/// A second as SQL keeps it; beyond 2⁶³ all are alike.
pub(crate) fn second(second: UnixSecond) -> i64 {
    i64::try_from(second).unwrap_or(i64::MAX)
}

/// A second as SQL kept it.
pub(crate) fn unix(second: i64) -> UnixSecond {
    u64::try_from(second).unwrap_or_default()
}

/// A row of `principals` that is a client. Each column costs time with each row: a start reads all of them.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct ClientRow {
    name: String,
    public_key: Vec<u8>,
    secret: Vec<u8>,
    previous: Option<Vec<u8>>,
    previous_until: Option<i64>,
    standard: i64,
    expires: Option<i64>,
    disabled: i64,
    classic: i64,
    added: i64,
    last_used: Option<i64>,
}

impl ClientRow {
    /// What the row says, with what is granted to whom.
    pub(crate) fn read(self, grants: &mut GrantRows, place: &str) -> Result<ClientRecord, RegistryError> {
        let key = key(self.public_key, place)?;
        let previous = self.previous.map(|stored| digest(stored, place)).transpose()?;
        Ok(ClientRecord {
            grants: match self.standard {
                0 => granted(0, key.digest().as_bytes(), grants),
                _ => Grants::Standard,
            },
            key,
            link: Link::Linked(Linked {
                name: self.name.parse().map_err(|_| unreadable(place, "name"))?,
                secret: digest(self.secret, place)?,
                previous: previous.zip(self.previous_until.map(unix)),
                added: unix(self.added),
                last_used: self.last_used.map(unix),
            }),
            expires: self.expires.map(unix),
            disabled: self.disabled != 0,
            classic: self.classic != 0,
        })
    }
}

/// The kind of an api key.
const API_KEY: &str = "apikey";

/// A row of `principals` that is no client, and so an api key.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct ApiKeyRow {
    digest: Vec<u8>,
    kind: String,
    name: String,
    standard: i64,
    expires: Option<i64>,
    allow_query: i64,
    added: i64,
    last_used: Option<i64>,
}

impl ApiKeyRow {
    /// What the row says, with what is granted to whom.
    pub(crate) fn read(self, grants: &mut GrantRows, place: &str) -> Result<ApiKeyRecord, RegistryError> {
        if self.kind != API_KEY {
            return Err(unreadable(place, "kind"));
        }
        Ok(ApiKeyRecord {
            name: self.name.parse().map_err(|_| unreadable(place, "name"))?,
            grants: granted(self.standard, &self.digest, grants),
            digest: digest(self.digest, place)?,
            expires: self.expires.map(unix),
            allow_query: self.allow_query != 0,
            added: unix(self.added),
            last_used: self.last_used.map(unix),
        })
    }
}

/// A row of `unlinked_keys`.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct UnlinkedRow {
    digest: Vec<u8>,
    public_key: Vec<u8>,
    standard: i64,
    expires: Option<i64>,
}

impl UnlinkedRow {
    /// What the row says; every unlinked key is tried by the classic search.
    pub(crate) fn read(self, grants: &mut GrantRows, place: &str) -> Result<ClientRecord, RegistryError> {
        Ok(ClientRecord {
            key: key(self.public_key, place)?,
            link: Link::Unlinked,
            grants: granted(self.standard, &self.digest, grants),
            expires: self.expires.map(unix),
            disabled: false,
            classic: true,
        })
    }
}

/// A row of `users`.
#[derive(sqlx::FromRow)]
pub(crate) struct UserRow {
    id: Vec<u8>,
    name: String,
    password: String,
    role: String,
    standard: Option<i64>,
    epoch: i64,
    expires: Option<i64>,
    disabled: i64,
    added: i64,
    last_used: Option<i64>,
}

impl UserRow {
    /// What stands for a user whose grants are in rows of their own.
    pub(crate) fn id_of_listed(&self, place: &str) -> Result<Option<Digest>, RegistryError> {
        (self.standard == Some(0)).then(|| digest(self.id.clone(), place)).transpose()
    }

    /// What the row says, with what is granted to whom.
    pub(crate) fn read(self, grants: &mut GrantRows, place: &str) -> Result<UserRecord, RegistryError> {
        let role = Role::ALL.into_iter().find(|role| role.as_str() == self.role);
        Ok(UserRecord {
            name: self.name.parse().map_err(|_| unreadable(place, "name"))?,
            password: self.password.into(),
            role: role.ok_or_else(|| unreadable(place, "role"))?,
            listed: self.standard.map(|standard| granted(standard, &self.id, grants)),
            id: digest(self.id, place)?,
            epoch: unix(self.epoch),
            expires: self.expires.map(unix),
            disabled: self.disabled != 0,
            added: unix(self.added),
            last_used: self.last_used.map(unix),
        })
    }
}

/// A row of `user_tokens`.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct TokenRow {
    digest: Vec<u8>,
    user_id: Vec<u8>,
    label: String,
    expires: Option<i64>,
    added: i64,
    last_used: Option<i64>,
}

impl TokenRow {
    /// What the row says.
    pub(crate) fn read(self, place: &str) -> Result<UserToken, RegistryError> {
        Ok(UserToken {
            digest: digest(self.digest, place)?,
            user: digest(self.user_id, place)?,
            label: self.label.parse().map_err(|_| unreadable(place, "label"))?,
            expires: self.expires.map(unix),
            added: unix(self.added),
            last_used: self.last_used.map(unix),
        })
    }
}

/// A row of `logins`, without its user.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct LogInsRow {
    network: String,
    way: String,
    first: Option<i64>,
    last: Option<i64>,
    failures: i64,
}

impl LogInsRow {
    /// What the row says.
    pub(crate) fn read(self, place: &str) -> Result<LogInRow, RegistryError> {
        let way = Way::ALL.into_iter().find(|way| way.as_str() == self.way);
        Ok(LogInRow {
            network: self.network,
            way: way.ok_or_else(|| unreadable(place, "way to log in"))?,
            first: self.first.map(unix),
            last: self.last.map(unix),
            failures: unix(self.failures),
        })
    }
}

/// A row of `grants`, or of `user_grants`.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct GrantRow {
    digest: Vec<u8>,
    pattern: String,
    writes: i64,
}

impl GrantRow {
    /// Adds what the row says.
    pub(crate) fn read(self, grants: &mut GrantRows, place: &str) -> Result<(), RegistryError> {
        let pattern = self.pattern.parse().map_err(|_| unreadable(place, "pattern"))?;
        let access = if self.writes == 0 { Access::Read } else { Access::Write };
        grants.entry(self.digest).or_default().push((pattern, access));
        Ok(())
    }
}

/// A row that holds a digest alone.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct DigestRow {
    digest: Vec<u8>,
}

impl DigestRow {
    /// What the row says.
    pub(crate) fn read(self, place: &str) -> Result<Digest, RegistryError> {
        digest(self.digest, place)
    }
}

fn granted(standard: i64, digest: &[u8], grants: &mut GrantRows) -> Grants {
    match standard {
        0 => Grants::Listed(grants.remove(digest).unwrap_or_default().into()),
        _ => Grants::Standard,
    }
}

fn key(stored: Vec<u8>, place: &str) -> Result<PublicKey, RegistryError> {
    stored.try_into().map(PublicKey::from_stored).map_err(|_| unreadable(place, "key"))
}

/// Reads 32 bytes as a digest.
pub(crate) fn digest(stored: Vec<u8>, place: &str) -> Result<Digest, RegistryError> {
    stored.try_into().map(Digest::from_stored).map_err(|_| unreadable(place, "digest"))
}
