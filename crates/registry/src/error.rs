//! From the database's errors to the registry's.

use msp_core::RegistryError;

/// SQLite's result codes for a file that is no database, or a damaged one.
const BROKEN: [&str; 2] = ["11", "26"];

/// Names the place in what the database says.
pub(crate) fn failed(place: &str, error: &sqlx::Error) -> RegistryError {
    let broken =
        error.as_database_error().and_then(|error| error.code()).is_some_and(|code| BROKEN.contains(&&*code));
    if broken {
        let why = "it is damaged, or no registry at all; name another file, or restore a backup (msp-admin restore)";
        return RegistryError::Corrupt(place.to_owned(), why.to_owned());
    }
    // The database is there and has answered: what it holds is not what was ever written.
    if matches!(error, sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::RowNotFound) {
        return RegistryError::Corrupt(place.to_owned(), format!("a row cannot be read: {error}"));
    }
    RegistryError::Unavailable(place.to_owned(), error.to_string())
}

/// What a row that cannot be read means.
pub(crate) fn unreadable(place: &str, what: &str) -> RegistryError {
    RegistryError::Corrupt(place.to_owned(), format!("a row holds no legal {what}"))
}
