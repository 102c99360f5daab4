//! The door's settings: `[paths]`, `[auth]`, `[cors]`, `[file_server]`, `[plugin_parms]`, and what plugins are given.

mod cors;
mod documents;
pub(crate) mod keys;

use std::fmt;

use msp_core::PluginsSpec;
use msp_protocol::Digest;
use msp_settings::keys::{BINDTO, DOOR_PLUGIN, FORWARD_PROTO, SSL_ENABLED};
use msp_settings::{DoorSettings, Loaded, SettingsError, Token};

pub use self::cors::CorsSettings;
pub use self::documents::DocumentsSettings;
pub use self::keys::KEYS;

/// The plugin door, when it is on.
///
/// Parameters and other sections hold the plugins' own keys and passwords, so `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub struct PluginSettings {
    /// Where plugins are, and what they are given.
    pub spec: PluginsSpec,
    /// What is kept of the door's own key.
    pub key: Option<Digest>,
    /// True when everybody may list and reload plugins while there is no key.
    pub control_open: bool,
    /// True when it is served without TLS too.
    pub allow_plain: bool,
    /// Which pages of other origins may call plugins; none: the rules are off.
    pub cors: Option<CorsSettings>,
    /// Folders that are served as they are, each at a route of its own.
    pub documents: Vec<DocumentsSettings>,
}

impl fmt::Debug for PluginSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSettings")
            .field("folder", &self.spec.folder)
            .field("has_key", &self.key.is_some())
            .field("control_open", &self.control_open)
            .field("allow_plain", &self.allow_plain)
            .field("cors", &self.cors)
            .field("documents", &self.documents)
            .finish_non_exhaustive()
    }
}

impl PluginSettings {
    /// Nothing while the door is off; `warnings` receives what is legal but should be looked at.
    ///
    /// # Errors
    /// [`SettingsError`] for the first mistake.
    pub fn read(
        loaded: &Loaded,
        doors: DoorSettings,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Self>, SettingsError> {
        if !doors.plugin {
            return Ok(None);
        }
        let folder = loaded.read(&keys::PLUGINS)?;
        let needs_folder = || {
            let needed = "it is on and needs [paths] plugins, the folder of the plugins";
            loaded.get(&DOOR_PLUGIN).refused(needed)
        };
        let mut reserved: Vec<_> = CONTROL.iter().map(|&path| path.to_owned()).collect();
        reserved.extend(doors.sealed.then(|| "v1".to_owned()));
        let documents = DocumentsSettings::read(loaded, &reserved)?;
        reserved.extend(documents.iter().map(|folder| folder.route.clone()));
        let key = key(loaded, warnings)?;
        let settings = Self {
            spec: PluginsSpec {
                folder: folder.ok_or_else(needs_folder)?,
                parameters: loaded.plugin_parameters()?,
                config: loaded.for_plugins()?,
                ini_file: loaded.plugins_file().map(|path| path.display().to_string()).unwrap_or_default(),
                has_key: key.is_some(),
                reserved,
            },
            key,
            control_open: loaded.read(&keys::CONTROL_OPEN)?,
            allow_plain: loaded.read(&keys::ALLOW_PLAIN)?,
            cors: CorsSettings::read(loaded, warnings)?,
            documents,
        };
        settings.warn(loaded, warnings)?;
        Ok(Some(settings))
    }

    /// Tells what is open that should perhaps not be, and what is closed.
    fn warn(&self, loaded: &Loaded, warnings: &mut Vec<String>) -> Result<(), SettingsError> {
        let plain = loaded.get(&keys::ALLOW_PLAIN);
        let bind = loaded.get(&BINDTO);
        let behind_tls = loaded.read(&FORWARD_PROTO)? > 0;
        let own_tls = loaded.read(&SSL_ENABLED)?;
        if self.allow_plain {
            warnings.push(plain.warning(
                "api keys and answers may travel in clear; set [SSL] enabled, or a proxy with TLS before it and [Proxy] \
                 ForwardProto",
            ));
        } else if !own_tls && !behind_tls && !bind.value()?.is_loopback() {
            warnings.push(bind.warning(
                "the plugin door answers tls_required without TLS; set [SSL] enabled, or a proxy with TLS before it and \
                 [Proxy] ForwardProto, or bind to 127.0.0.1",
            ));
        }
        if self.key.is_none() {
            let open = loaded.get(&keys::CONTROL_OPEN);
            warnings.push(if self.control_open {
                open.warning("everybody may list and reload plugins; set [auth] apikey")
            } else {
                "[auth] apikey: there is none, so /plugins and /reload answer 403 but to named api keys; set it, or \
                 control_open=yes to open them to everybody"
                    .to_owned()
            });
        }
        Ok(())
    }
}

/// The door's own key, of which only the digest is kept.
fn key(loaded: &Loaded, warnings: &mut Vec<String>) -> Result<Option<Digest>, SettingsError> {
    let (text, file) = (loaded.get(&keys::APIKEY), loaded.get(&keys::APIKEY_FILE));
    match (text.value()?, file.value()?) {
        (None, None) => Ok(None),
        (None, Some(path)) => Token::read(file.place(), &path, warnings).map(|key| Some(key.digest())),
        (Some(key), None) => {
            if key.is_short() {
                warnings
                    .push(text.warning("it is so short that it can be guessed; try: openssl rand -hex 32"));
            }
            Ok(Some(key.digest()))
        }
        (Some(_), Some(_)) => {
            Err(file.refused(format!("there is an apikey too, at {}; keep one of them", text.origin)))
        }
    }
}

/// The door's own paths.
const CONTROL: [&str; 3] = ["openapi.json", "plugins", "reload"];
