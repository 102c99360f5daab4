//! `gen_key`: makes the files of a key pair, with the original's arguments and output.

use std::path::{Path, PathBuf};

use clap::Args;
use msp_keyfile::{KeyFileError, pair_paths};
use msp_protocol::{OsRng, PrivateKey};

use crate::as_owner;
use crate::error::AdminError;
use crate::output;

/// Generate key files
#[derive(Debug, Args)]
pub(crate) struct GenKey {
    /// What to generate: private, public (from NAME.key) or pair
    #[arg(value_name = "TYPE")]
    half: String,

    /// The files' name without its ending
    name: PathBuf,

    /// Replace an existing private key
    #[arg(long)]
    force: bool,
}

impl GenKey {
    pub(crate) fn run(&self) -> Result<(), AdminError> {
        as_owner::work_as_owner(&[self.name.parent().unwrap_or(Path::new(""))], None)?;
        match self.half.to_lowercase().as_str() {
            "private" => private(&self.name, self.force),
            "public" => public(&self.name),
            "pair" => private(&self.name, self.force).and_then(|()| public(&self.name)),
            _ => Err(AdminError::WrongKeyType(self.half.escape_debug().to_string())),
        }
    }
}

fn private(name: &Path, force: bool) -> Result<(), AdminError> {
    let (path, _) = pair_paths(name);
    let text = PrivateKey::generate(&mut OsRng).dangerously_to_base64();
    let written = if force {
        msp_keyfile::replace(&path, text.as_bytes())
    } else {
        msp_keyfile::write_new(&path, text.as_bytes())
    };
    written?;
    output::print(&format!("Generated: {}", path.display()))
}

fn public(name: &Path) -> Result<(), AdminError> {
    let (private, path) = pair_paths(name);
    let key = msp_keyfile::read_private_key(&private).map_err(|error| match error {
        KeyFileError::NotFound { .. } => AdminError::KeyNotFound(name.display().to_string()),
        other => other.into(),
    })?;
    msp_keyfile::replace(&path, key.public().to_string().as_bytes())?;
    let path =
        std::path::absolute(&path).map_err(|cause| AdminError::io("find the current folder", cause))?;
    output::print(&format!("Generated: {}", path.display()))
}

pub(crate) const EXAMPLES: &str = "\
Examples:
  gen_key pair client           client.key (private) and client.pub (public) in this folder
  gen_key public client         client.pub again, from client.key
  gen_key private client --force";
