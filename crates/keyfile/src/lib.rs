//! Reading and writing key files: created new, 0600 from the first moment, complete or absent.
//!
//! A key file holds exactly the 44 characters of standard base64, without a newline; readers take its first line
//! and trim it. Every function blocks on the disk.

mod error;
mod pair;
mod read;
mod write;

pub use error::{Half, KeyFileError};
pub use pair::{ServerKeys, create_server_keys, look_at_server_keys, pair_paths, server_keys, write_pair};
pub use read::{is_private, read_private_key, read_public_key, read_secret, read_text};
pub use write::{create_private, create_private_folder, open_lock, replace, write_new};
