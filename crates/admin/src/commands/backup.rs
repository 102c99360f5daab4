//! `backup`: a copy of the registry.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::as_owner;
use crate::context::Context;
use crate::error::AdminError;
use crate::options::GlobalOptions;
use crate::output::Spinner;

/// Write a copy of the registry to a new file, while the server runs or not
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Backup {
    /// The file, which must not exist; it is made 0600
    file: PathBuf,
}

impl Backup {
    pub(crate) async fn run(&self, options: &GlobalOptions) -> Result<(), AdminError> {
        let to = std::path::absolute(&self.file)
            .map_err(|cause| AdminError::io("find the current folder", cause))?;
        let mut made = false;
        let written = async {
            let mut file = as_owner::file(|| {
                let file = msp_keyfile::create_private(&to)?;
                made = true;
                Ok(file)
            })?;
            let context = Context::load(options, None, Some(&file))?;
            let waiting = Spinner::on("writing the backup");
            context.registry().await?.backup(&mut file).await?;
            drop(waiting);
            context.output.result(&json!({ "file": to }), || format!("Written: {}", to.display()))
        };
        let written = written.await;
        let failed = !matches!(&written, Ok(()) | Err(AdminError::RanAsOwner(0)));
        if failed && made {
            // Whoever made the file takes it away; the first error is the one to tell.
            let _first_error = msp_keyfile::remove(&to);
        }
        written
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin backup /safe/msp-$(date +%F).backup

It holds clients, api keys, grants and the audit, but neither the server's key nor any secret or key
itself, only digests: keep server.key apart.";
