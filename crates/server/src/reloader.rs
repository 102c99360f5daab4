//! Reading the configuration again, and loading functions anew.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use msp_core::{BoxFuture, Calls, Import, Stamp};
use msp_door_plugin::{NotReloaded, PluginSettings, Reloads, exposed};
use msp_guard::{MemoryGuard, MemoryGuardConfig};
use msp_http::Tls;
use msp_runners::{Reload, ReloadError, Runners};
use msp_settings::{Settings, Sources};

use crate::configuration::{Configuration, Current};
use crate::import;

/// Why a reload is tried again that failed; the same failure is not told again.
const RETRIED: &str = "what was wrong may be right now";

/// Puts changed settings in force.
pub(crate) struct Reloader {
    /// Where the settings came from, to read them again.
    pub(crate) sources: Sources,
    pub(crate) configuration: Current,
    /// The settings of the start: what counts at a start only is in force as it stands there.
    pub(crate) started: Arc<Settings>,
    pub(crate) registry: Arc<dyn Import>,
    pub(crate) guard: Arc<MemoryGuard>,
    pub(crate) calls: Arc<Calls>,
    pub(crate) runners: Runners,
    /// What the main listener is served with; none: plain HTTP.
    pub(crate) tls: Option<Arc<Tls>>,
    /// Held while settings are read and put in force, so that older ones never follow newer ones.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    /// Why the settings could not be read lately.
    pub(crate) not_reloaded: ArcSwapOption<String>,
}

impl Reloader {
    /// Reads what has changed since the files were like this; they are then as they are now. A reload under way may take
    /// long; the next look sees what it has missed.
    pub(crate) async fn look(&self, files: &mut Files) {
        let Ok(_alone) = self.reloading.try_lock() else { return };
        let now = Files::now(&self.configuration.load().settings, &self.sources);
        if now != *files {
            *files = now;
            let _stays_as_it_was = self.reload("a file has changed").await;
        } else {
            self.retry().await;
        }
    }

    /// Reads configuration and modules again, and loads all plugins anew (SIGHUP, SIGUSR1).
    pub(crate) async fn reload_all(&self) {
        // What is wrong is in the log, and stays as it was.
        let _some_stay = self.reload_plugins("asked to", Reload::All).await;
    }

    /// Reads again what could not be read; what makes it readable need not show in its stamp. For who holds `reloading`.
    async fn retry(&self) {
        if self.not_reloaded.load().is_some() {
            let _stays_as_it_was = self.reload(RETRIED).await;
        } else if let (Some(tls), Some(ssl)) = (&self.tls, &self.configuration.load().settings.ssl) {
            tls.retry(ssl);
        }
    }

    /// Reads configuration and modules again; a faulty one changes nothing. For who holds `reloading`. Modules load on,
    /// whether or not that is waited for.
    ///
    /// # Errors
    /// What is wrong with it, in one line; it is logged.
    async fn reload(
        &self,
        why: &str,
    ) -> Result<(Configuration, impl Future<Output = ()> + Send + use<>), String> {
        let before = self.configuration.load();
        let (sources, started, door) = (self.sources.clone(), self.started.clone(), before.plugin.clone());
        let loaded = match tokio::task::spawn_blocking(move || Configuration::load(&sources)).await {
            Ok(loaded) => loaded.map_err(|error| error.to_string()).and_then(|loaded| {
                match exposes(&started, door.as_deref(), &loaded) {
                    Some(exposed) => Err(exposed),
                    None => Ok(loaded),
                }
            }),
            Err(error) => Err(error.to_string()),
        };
        let known = self.not_reloaded.swap(loaded.as_ref().err().cloned().map(Arc::new));
        if let (RETRIED, Err(error), Some(known)) = (why, &loaded, &known)
            && **known == *error
        {
            return Err(error.clone());
        }
        // A certificate is not to wait until the configuration is right.
        let ssl = loaded.as_ref().unwrap_or(&before).settings.ssl.as_ref();
        if let (Some(tls), Some(ssl)) = (&self.tls, ssl) {
            tls.reopen(ssl);
        }
        let mut configuration =
            loaded.inspect_err(|error| tracing::error!("not reloaded ({why}): {error}"))?;
        let settings = configuration.settings.clone();
        if let Some(waiting) = waiting(&settings.waiting_for_start(&self.started)) {
            tracing::warn!("{waiting}");
        }
        // A door is opened and closed at a start, so that its section stays with it.
        if configuration.plugin.is_none() || before.plugin.is_none() {
            configuration.plugin.clone_from(&before.plugin);
        }
        import::take_in(&*self.registry, &self.started.clients.keypath, &settings.clients.register).await;
        // From here on nothing is waited for: all of it is in force at once, but for functions that are still to load.
        self.guard.reconfigure(guard_config(&settings));
        self.calls.rates.reconfigure(settings.limits.per_address_rate, settings.limits.per_caller_rate);
        // The same list, too: the paths in it may lead elsewhere now.
        let modules = self.runners.reload(settings.modules.clone());
        self.configuration.store(configuration.clone());
        tracing::info!("reloaded: {why}");
        Ok((configuration, modules))
    }
}

impl Reloads for Reloader {
    fn reload_plugins<'a>(
        &'a self,
        why: &'a str,
        what: Reload,
    ) -> BoxFuture<'a, Result<Vec<String>, NotReloaded>> {
        Box::pin(async move {
            // What loads is waited for without the lock: another file must not wait for it.
            let (modules, plugins) = {
                let _alone = self.reloading.lock().await;
                let (configuration, modules) = self.reload(why).await.map_err(NotReloaded::Settings)?;
                let door = configuration.plugin.as_ref();
                (modules, door.map(|door| self.runners.reload_plugins(door.spec.clone(), what)))
            };
            modules.await;
            let plugins = plugins.ok_or(NotReloaded::Plugins(ReloadError::NotFound))?;
            Ok(plugins.await.map_err(NotReloaded::Plugins)?.settled().await)
        })
    }
}

/// Says what these settings would lay open, of what they name and of what stays in force until the next start; `open` is
/// the plugin door as it is, which stays open without a section too.
fn exposes(started: &Settings, open: Option<&PluginSettings>, loaded: &Configuration) -> Option<String> {
    let served =
        loaded.plugin.as_deref().or(open).and_then(|door| {
            [&*loaded.settings, started].into_iter().find_map(|private| exposed(door, private))
        });
    served.map(|exposed| exposed.to_string()).or_else(|| bares_ops(started, &loaded.settings))
}

/// Says that these settings take its token from an ops listener that stays where others reach it; nothing when they do not.
fn bares_ops(started: &Settings, settings: &Settings) -> Option<String> {
    let open = started.doors.ops && !started.ops.bindto.is_loopback() && settings.ops.token.is_none();
    open.then(|| {
        let address = started.ops.bindto;
        format!("[Ops] TokenFile: the listener is on {address} until the next start; keep the token as long")
    })
}

/// What of the settings is the guard's.
pub(crate) fn guard_config(settings: &Settings) -> MemoryGuardConfig {
    MemoryGuardConfig {
        request_ttl: settings.clients.request_ttl,
        address_ttl: settings.server.address_ttl,
        max_entries: settings.guard.max_entries,
        caller_share: settings.guard.caller_share,
        ..MemoryGuardConfig::default()
    }
}

/// Says which keys wait for the next start; nothing when none does.
fn waiting(keys: &[String]) -> Option<String> {
    let (last, others) = keys.split_last()?;
    Some(match others {
        [] => format!("{last} takes effect at the next start"),
        others => format!("{} and {last} take effect at the next start", others.join(", ")),
    })
}

/// The files that are taken up when they change, with what tells that they did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Files(Vec<Option<Stamp>>);

impl Files {
    /// As they were when these settings were read; for who has read nothing else yet. What changes while the server
    /// starts is then taken up like any later change.
    pub(crate) fn as_read(settings: &Settings) -> Self {
        Self(settings.stamps.iter().copied().chain(Self::beside(settings)).collect())
    }

    fn now(settings: &Settings, sources: &Sources) -> Self {
        Self(sources.files().iter().map(|path| Stamp::of(path)).chain(Self::beside(settings)).collect())
    }

    /// Those that the settings name.
    fn beside(settings: &Settings) -> impl Iterator<Item = Option<Stamp>> {
        let certificate = settings.ssl.iter().flat_map(|ssl| [&ssl.certfile, &ssl.keyfile]);
        [&settings.clients.register].into_iter().chain(certificate).map(|path| Stamp::of(path))
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test writes its configuration")]
mod tests {
    use super::*;

    #[test]
    fn a_reload_serves_no_documents_from_where_private_files_stay_until_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["public", "work/sec", "plugins", "elsewhere"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let configuration = |keys: &str, documents: &str| {
            let [keys, documents, plugins] =
                [keys, documents, "plugins"].map(|name| folder.path().join(name).display().to_string());
            let text = format!(
                "[Doors]\nplugin=on\n[Server]\nKeypath={keys}\n[Clients]\nKeypath={keys}\n[Log]\nFolder={keys}\n\
                 [paths]\nplugins={plugins}\ndocuments=site:{documents}\n"
            );
            let file = folder.path().join("elsewhere/config.ini");
            std::fs::write(&file, text).unwrap();
            Configuration::load(&Sources { config: Some(file), ..Sources::default() }).unwrap()
        };
        let before = configuration("work/sec", "public");
        let (started, door) = (&before.settings, before.plugin.as_deref());
        assert_eq!(exposes(started, door, &configuration("work/sec", "public")), None);
        // The keys move with the next start only.
        let moved = exposes(started, door, &configuration("elsewhere", "work")).unwrap();
        assert!(moved.contains("work/sec"), "{moved}");
        let other = exposes(started, door, &configuration("elsewhere", "elsewhere")).unwrap();
        assert!(other.contains("elsewhere"), "{other}");
        // So does the door close: what it serves until then is to hold nothing private either.
        let closing = |keys: &str| Configuration { plugin: None, ..configuration(keys, "elsewhere") };
        assert_eq!(exposes(started, door, &closing("work/sec")), None);
        assert!(exposes(started, door, &closing("public")).unwrap().contains("public"));
        assert_eq!(exposes(started, None, &closing("public")), None);
    }

    #[test]
    fn a_reload_takes_no_token_from_an_ops_listener_that_others_reach() {
        let folder = tempfile::tempdir().unwrap();
        let token = folder.path().join("token");
        std::fs::write(&token, "a-long-random-token-for-the-scraper").unwrap();
        let settings = |text: &str| {
            let file = folder.path().join("config.ini");
            std::fs::write(&file, text.replace("<token>", &token.display().to_string())).unwrap();
            let sources = Sources { config: Some(file), ..Sources::default() };
            Configuration::load(&sources).unwrap().settings
        };
        let open = settings("[Ops]\nbindto=0.0.0.0\nTokenFile=<token>\n");
        let kept = settings("[Ops]\nTokenFile=<token>\n");
        let bare = settings("");
        let refused =
            "[Ops] TokenFile: the listener is on 0.0.0.0 until the next start; keep the token as long";
        assert_eq!(bares_ops(&open, &bare).as_deref(), Some(refused));
        for (started, now) in [(&open, &kept), (&open, &open), (&kept, &bare), (&bare, &bare)] {
            assert_eq!(bares_ops(started, now), None);
        }
        let off = settings("[Doors]\nops=off\n[Ops]\nbindto=0.0.0.0\n");
        assert_eq!(bares_ops(&off, &bare), None);
    }
}
