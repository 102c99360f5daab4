//! Reading and writing key files: created new, 0600 from the first moment, complete or absent.
//!
//! A key file holds exactly the 44 characters of standard base64, without a newline; readers take its first line
//! and trim it. Every function blocks on the disk.

mod error;
mod folder;
mod inherited;
mod pair;
mod place;
mod read;
mod write;

pub use error::{Half, KeyFileError};
pub use folder::{PrivateFolder, names_in, remove, set_aside, size_of};
pub use inherited::{Texts, keep_texts, kept_texts, take_texts};
pub use pair::{ServerKeys, create_server_keys, inspect_server_keys, pair_paths, server_keys, write_pair};
pub use place::{check_regular, create_private_folder, open_named, owner_of};
pub use read::{is_private, read_named, read_private_key, read_public_key, read_secret, read_text};
pub use write::{create_private, open_lock, replace, write_new};
