//! `restore`: the registry as it was in a backup.

use std::fs::File;
use std::path::{Path, PathBuf};

use clap::Args;
use msp_core::control::{Reply, Request};
use msp_core::{Restored, registry_file};
use msp_keyfile::PrivateFolder;
use serde::Serialize;

use crate::as_owner;
use crate::context::Context;
use crate::error::AdminError;
use crate::options::GlobalOptions;
use crate::output::{self, Output, Spinner};
use crate::prompt;
use crate::times;

/// Replace the registry's content by a backup's, while the server runs or not
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Restore {
    /// The file that backup wrote
    file: PathBuf,

    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// What was done, for scripts.
#[derive(Debug, Serialize)]
struct Report<'a> {
    restored: &'a Path,
    #[serde(flatten)]
    what: Restored,
}

impl Restore {
    pub(crate) async fn run(&self, options: &GlobalOptions) -> Result<(), AdminError> {
        let from = std::path::absolute(&self.file)
            .map_err(|cause| AdminError::io("find the current folder", cause))?;
        let question =
            format!("Replace all clients, api keys, users and grants by those of {}?", from.display());
        let mut asked = true;
        let mut file = as_owner::file(|| {
            let file = msp_keyfile::open_named(&from)?;
            asked = self.yes || prompt::confirm(Output::new(options.json), &question)?;
            Ok(file)
        })?;
        if !asked {
            return Ok(());
        }
        let context = Context::load(options, None, Some(&file))?;
        let waiting = Spinner::on("restoring");
        let what = restore(&context, &mut file, &from).await?;
        drop(waiting);
        let report = Report { restored: &from, what };
        context.output.result(&report, || report.text(&context))
    }
}

/// Restores a copy that lies beside the registry, where its user can read it; a running server does it itself.
async fn restore(context: &Context, file: &mut File, from: &Path) -> Result<Restored, AdminError> {
    let failed = |cause| AdminError::io(format!("copy {}", from.display()), cause);
    let settings = &context.settings;
    msp_keyfile::create_private_folder(&settings.clients.keypath)?;
    let beside = registry_file(&settings.registry.url).unwrap_or(&settings.clients.keypath);
    let folder = PrivateFolder::beside(beside)?;
    let copy = std::path::absolute(folder.path("copy")).map_err(failed)?;
    std::io::copy(file, &mut msp_keyfile::create_private(&copy)?).map_err(failed)?;
    let (name, actor) = (from.display().to_string(), context.actor());
    let request = Request::Restore { from: copy.clone(), name: name.clone(), actor: actor.clone() };
    let server = context.server();
    match server.try_ask(&request)? {
        Some(Reply::Restored { restored }) => Ok(restored),
        Some(_) => Err(server.unexpected()),
        None => {
            let registry = context.registry_or_new().await?;
            // No server may start in between.
            let _lock = registry.lock_for_server().await?;
            Ok(registry.restore(&copy, &name, settings.clients.request_ttl, &actor).await?)
        }
    }
}

impl Report<'_> {
    fn text(&self, context: &Context) -> String {
        let Restored { clients, api_keys, users, revoked, shut_out, floor } = self.what;
        let of = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        let ahead = floor.saturating_sub(context.clock.unix());
        format!(
            "Restored: {}\n{}, {} and {} came back; {revoked} more of the backup stay revoked; {shut_out} of the clients \
             are disabled or have expired\nThe floor is {} ahead of the clock: no request is accepted until {}",
            output::printable(&self.restored.display().to_string()),
            of(clients, "client"),
            of(api_keys, "api key"),
            of(users, "user"),
            times::duration(ahead),
            times::local(floor.saturating_add(1)),
        )
    }
}

const EXAMPLES: &str = "\
Examples:
  msp-admin restore /safe/msp-2027-01-31.backup
  msp-admin restore /safe/msp-2027-01-31.backup --yes

What was revoked, purged, disabled or expired since the backup stays so, and so does a secret that
was rotated away. Requests are refused for about RequestTTL afterwards, since what was accepted after the backup must not be accepted again.";
