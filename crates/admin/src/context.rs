//! What most commands need: the settings, the clock, the registry, the way to the server. The registry is opened here
//! alone; what keeps it is nobody else's business.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use msp_core::clock::{Clock, SystemClock};
use msp_core::control::Request;
use msp_core::{Registry, registry_file};
use msp_keyfile::ServerKeys;
use msp_protocol::PublicKey;
use msp_registry::SqlRegistry;
use msp_settings::Settings;

use crate::as_owner;
use crate::control::Control;
use crate::error::AdminError;
use crate::options::GlobalOptions;
use crate::output::Output;

/// Everything around one command.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) output: Output,
}

impl Context {
    /// Reads the configuration, and goes on as the owner of the folders that it names; `url` stands for
    /// `[Server] PublicUrl`, `file` is what the command line names and what goes along.
    pub(crate) fn load(
        options: &GlobalOptions,
        url: Option<&str>,
        file: Option<&File>,
    ) -> Result<Self, AdminError> {
        let settings = options.settings(url)?;
        let registry = registry_file(&settings.registry.url).and_then(Path::parent);
        let folders = [Some(&*settings.server.keypath), Some(&*settings.clients.keypath), registry];
        as_owner::work_as_owner(&folders.into_iter().flatten().collect::<Vec<_>>(), file)?;
        Ok(Self { settings, clock: Arc::new(SystemClock::start()), output: Output::new(options.json) })
    }

    /// Opens the registry, which must exist.
    pub(crate) async fn registry(&self) -> Result<Box<dyn Registry>, AdminError> {
        Ok(Box::new(SqlRegistry::open_existing(&self.settings.registry.url, self.clock.clone()).await?))
    }

    /// Opens the registry if there is one.
    pub(crate) async fn registry_if_any(&self) -> Result<Option<Box<dyn Registry>>, AdminError> {
        // What cannot be reached may well be there; opening it says why not.
        let absent = registry_file(&self.settings.registry.url)
            .is_none_or(|path| path.try_exists().is_ok_and(|exists| !exists));
        if absent { Ok(None) } else { self.registry().await.map(Some) }
    }

    /// Opens the registry, and makes it where it is missing, as a starting server does.
    pub(crate) async fn registry_or_new(&self) -> Result<Box<dyn Registry>, AdminError> {
        msp_keyfile::create_private_folder(&self.settings.clients.keypath)?;
        Ok(Box::new(SqlRegistry::open(&self.settings.registry.url, self.clock.clone()).await?))
    }

    /// Makes a change of the registry, then has a running server take it up at once.
    pub(crate) async fn change(
        &self,
        change: impl Future<Output = Result<(), AdminError>>,
    ) -> Result<(), AdminError> {
        change.await?;
        // A server that does not answer finds the change by itself within a second.
        let _found_by_itself = self.server().try_ask(&Request::Follow);
        Ok(())
    }

    /// Who gave the command, for the audit.
    pub(crate) fn actor(&self) -> String {
        as_owner::actor()
    }

    /// The running server, if one runs.
    pub(crate) fn server(&self) -> Control {
        Control::new(&self.settings.server.keypath)
    }

    /// The server's public key, which every new client must be told.
    pub(crate) fn server_key(&self) -> Result<PublicKey, AdminError> {
        let folder = &self.settings.server.keypath;
        match msp_keyfile::server_keys(folder)? {
            ServerKeys::Found(key) => Ok(*key.public()),
            ServerKeys::Missing => Err(AdminError::ServerKeysMissing(folder.clone())),
        }
    }
}
