//! `msp-client gen_key`: makes the files of a key pair, as the original's gen_key.py does.

use std::path::Path;

use msp_keyfile::{KeyFileError, pair_paths};
use msp_protocol::{OsRng, PrivateKey};

use crate::cli::GenKey;
use crate::error::CliError;
use crate::output;

pub(crate) fn run(options: &GenKey) -> Result<(), CliError> {
    match options.half.to_lowercase().as_str() {
        "private" => private(&options.name, options.force),
        "public" => public(&options.name),
        "pair" => private(&options.name, options.force).and_then(|()| public(&options.name)),
        _ => Err(CliError::WrongKeyType(options.half.escape_debug().to_string())),
    }
}

fn private(name: &Path, force: bool) -> Result<(), CliError> {
    let (path, _) = pair_paths(name);
    let text = PrivateKey::generate(&mut OsRng).dangerously_to_base64();
    if force {
        msp_keyfile::replace(&path, text.as_bytes())?;
    } else {
        msp_keyfile::write_new(&path, text.as_bytes())?;
    }
    output::print(&format!("Generated: {}", path.display()))
}

fn public(name: &Path) -> Result<(), CliError> {
    let (private, path) = pair_paths(name);
    let key = msp_keyfile::read_private_key(&private).map_err(|error| match error {
        KeyFileError::NotFound { .. } => CliError::KeyNotFound(name.display().to_string()),
        other => other.into(),
    })?;
    msp_keyfile::replace(&path, key.public().to_string().as_bytes())?;
    let path = std::path::absolute(&path)
        .map_err(|cause| CliError::Io { action: "find the current folder", cause })?;
    output::print(&format!("Generated: {}", path.display()))
}
