//! What most commands need: the settings, the clock, the registry, the way to the server.

use std::path::Path;
use std::sync::Arc;

use msp_core::clock::{Clock, SystemClock};
use msp_core::control::Request;
use msp_core::registry_file;
use msp_keyfile::ServerKeys;
use msp_protocol::PublicKey;
use msp_registry::SqlRegistry;
use msp_settings::{Settings, SettingsError, Sources};

use crate::cli::Common;
use crate::control::Control;
use crate::error::AdminError;
use crate::output::Output;

/// Everything around one command.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) output: Output,
}

impl Context {
    /// Reads the configuration; `url` stands for `[Server] PublicUrl`.
    pub(crate) fn load(common: &Common, url: Option<&str>) -> Result<Self, AdminError> {
        Ok(Self {
            settings: settings(common, url)?,
            clock: Arc::new(SystemClock::start()),
            output: Output::new(common.json),
        })
    }

    /// Opens the registry, which must exist.
    pub(crate) async fn registry(&self) -> Result<SqlRegistry, AdminError> {
        Ok(SqlRegistry::open_existing(&self.settings.registry.url, self.clock.clone()).await?)
    }

    /// Opens the registry if there is one.
    pub(crate) async fn registry_if_any(&self) -> Result<Option<SqlRegistry>, AdminError> {
        // What cannot be reached may well be there; opening it says why not.
        let absent = registry_file(&self.settings.registry.url)
            .is_none_or(|path| path.try_exists().is_ok_and(|exists| !exists));
        if absent { Ok(None) } else { self.registry().await.map(Some) }
    }

    /// Opens the registry, and makes it where it is missing, as a starting server does.
    pub(crate) async fn registry_or_new(&self) -> Result<SqlRegistry, AdminError> {
        msp_keyfile::create_private_folder(&self.settings.clients.keypath)?;
        Ok(SqlRegistry::open(&self.settings.registry.url, self.clock.clone()).await?)
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

/// Reads the configuration as the server would.
pub(crate) fn settings(common: &Common, url: Option<&str>) -> Result<Settings, SettingsError> {
    let overrides = url.map(|url| ("server.publicurl".to_owned(), url.to_owned()));
    let (config, modules) = (common.config.clone(), common.modules.clone());
    let plugins = common.plugins_config.clone();
    let sources = Sources::from_process(config, modules, plugins, overrides.into_iter().collect());
    Settings::load(&sources)
}

/// Who does it, for the audit: `admin:` and the name of this process's user, or its number.
pub(crate) fn actor() -> String {
    let uid = rustix::process::getuid().as_raw();
    let users = msp_keyfile::read_text(Path::new("/etc/passwd"), MAX_USERS_BYTES).ok();
    let name = users.as_ref().and_then(|users| user_name(users, uid));
    name.map_or_else(|| format!("admin:{uid}"), |name| format!("admin:{name}"))
}

/// Finds the name of a uid in the lines of passwd(5).
fn user_name(users: &str, uid: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// More than any list of local users, in bytes.
const MAX_USERS_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_as_in_passwd() {
        let users = "root:x:0:0:root:/root:/bin/bash\nbroken\n\nmsp:x:1000:100::/app:/bin/sh\n";
        assert_eq!(user_name(users, 0), Some("root"));
        assert_eq!(user_name(users, 1000), Some("msp"));
        assert_eq!(user_name(users, 100), None);
    }
}
