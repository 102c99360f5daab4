//! What `check-config` and `doctor` look at themselves; all that `doctor` may change is the schema of an older registry.
//! What a start would load is left to the server's own program.

use std::borrow::Cow;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use msp_core::{Finding, Registry, SettingsReport};
use msp_keyfile::{ServerKeys, pair_paths};
use msp_settings::Settings;
use serde::Serialize;

use crate::context::Context;
use crate::error::AdminError;
use crate::options::GlobalOptions;
use crate::output::{Cell, Tone};
use crate::server_program;

/// The outcome of one look.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Check {
    pub(crate) name: Cow<'static, str>,
    pub(crate) verdict: Verdict,
    pub(crate) detail: String,
}

/// Whether something must be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Ok,
    /// The server works, but should be looked at.
    Warning,
    /// The server does not start, or does not do what it should.
    Problem,
}

impl Verdict {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }

    pub(crate) fn cell(self) -> Cell {
        let tone = match self {
            Self::Ok => Tone::Good,
            Self::Warning => Tone::Warning,
            Self::Problem => Tone::Bad,
        };
        Cell::toned(self.as_str(), tone)
    }
}

impl Check {
    pub(crate) fn new(
        name: impl Into<Cow<'static, str>>,
        verdict: Verdict,
        detail: impl Into<String>,
    ) -> Self {
        Self { name: name.into(), verdict, detail: detail.into() }
    }

    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, detail)
    }

    pub(crate) fn warning(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Warning, detail)
    }

    pub(crate) fn problem(name: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Problem, detail)
    }

    fn found(Finding { place, problem, hint }: Finding) -> Self {
        let detail = if hint.is_empty() { problem } else { format!("{problem}; {hint}") };
        Self::new(place, Verdict::Problem, detail)
    }
}

/// An error when there is a problem among them, so that the exit code says so.
pub(crate) fn verdict(checks: &[Check]) -> Result<(), AdminError> {
    let problem = checks.iter().any(|check| check.verdict == Verdict::Problem);
    if problem { Err(AdminError::Reported) } else { Ok(()) }
}

/// Adds what the server's own program finds wrong and is not among them yet.
pub(crate) fn add_findings(checks: &mut Vec<Check>, options: &GlobalOptions) {
    let name = "start";
    let found = match server_program::check(options) {
        Ok((program, findings)) if findings.is_empty() => {
            vec![Check::ok(name, format!("{} loads all that it is to serve", program.display()))]
        }
        Ok((_, findings)) => findings.into_iter().map(Check::found).collect(),
        Err(error) => vec![Check::problem(name, error.to_string())],
    };
    for check in found {
        if !checks.iter().any(|before| before.detail == check.detail) {
            checks.push(check);
        }
    }
}

/// The settings of all doors, as the server's own program reads them, and true; without it those that this program knows.
pub(crate) fn report(settings: &Settings, options: &GlobalOptions) -> (SettingsReport, bool) {
    server_program::settings(options).map_or_else(|| (settings.report(), false), |report| (report, true))
}

/// Which files were read, and what in them should be looked at.
pub(crate) fn configuration(settings: &Settings, report: &SettingsReport) -> Vec<Check> {
    let file = |path: &Option<PathBuf>| {
        path.as_ref().map_or_else(|| "built-in".to_owned(), |path| path.display().to_string())
    };
    let plugins = settings.plugins_config_path.as_ref();
    let plugins = plugins.map_or_else(String::new, |path| format!("; plugins: {}", path.display()));
    let (config, modules) = (file(&settings.config_path), file(&settings.modules_path));
    let read = format!("config.ini: {config}; modules.ini: {modules}{plugins}");
    let warnings = report.warnings.iter().map(|warning| Check::warning("configuration", warning));
    std::iter::once(Check::ok("configuration", read)).chain(warnings).collect()
}

/// Says where nothing can be looked at: in a folder where no server ever was, or that is another user's.
pub(crate) fn place(settings: &Settings) -> Option<Check> {
    let keypath = &settings.server.keypath;
    match keypath.metadata() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let configured = [&settings.config_path, &settings.modules_path, &settings.plugins_config_path];
            if configured.into_iter().any(Option::is_some) {
                return None;
            }
            let here = std::env::current_dir().unwrap_or_default();
            Some(Check::problem(
                "configuration",
                format!(
                    "there is neither a configuration nor a key in {}; go where the server runs, or name its file \
                     with --config or MSP_CONFIG_PATH",
                    here.display()
                ),
            ))
        }
        Err(error) => Some(Check::problem(
            "server keys",
            format!(
                "{} cannot be reached: {error}; run this as the server's user or as root",
                keypath.display()
            ),
        )),
        Ok(found) => {
            let (owner, own) = (found.uid(), rustix::process::geteuid());
            let foreign = owner != own.as_raw() && !own.is_root();
            foreign.then(|| {
                let (keypath, own) = (keypath.display(), own.as_raw());
                Check::problem(
                    "server keys",
                    format!(
                        "{keypath} is uid {owner}'s, and this is uid {own}; run it as that user or as root"
                    ),
                )
            })
        }
    }
}

/// The server's pair of keys.
pub(crate) fn server_keys(settings: &Settings) -> Check {
    let (name, folder) = ("server keys", &settings.server.keypath);
    let (private, public) = pair_paths(&folder.join("server"));
    match msp_keyfile::inspect_server_keys(folder) {
        Ok(ServerKeys::Found(_)) if !msp_keyfile::is_private(&private) => {
            Check::warning(name, format!("others may read {0}; run: chmod 600 {0}", private.display()))
        }
        Ok(ServerKeys::Found(key)) => {
            Check::ok(name, format!("{}, fingerprint {}", public.display(), key.public().fingerprint()))
        }
        Ok(ServerKeys::Missing) => {
            Check::ok(name, format!("none yet in {}: the first start makes them", folder.display()))
        }
        Err(error) => Check::problem(name, error.to_string()),
    }
}

/// What should be looked at of files that a start reads, whoever may read them.
pub(crate) fn warnings(settings: &Settings, report: &SettingsReport) -> Vec<Check> {
    let registry = msp_core::registry_file(&settings.registry.url).filter(|file| file.is_file());
    let registry = registry.map(|file| registry_file(settings, file));
    let all = configuration(settings, report).into_iter().chain([server_keys(settings)]).chain(registry);
    all.filter(|check| check.verdict == Verdict::Warning).collect()
}

/// Whether the registry can be opened, and whose it is.
pub(crate) async fn registry(context: &Context) -> (Check, Option<Box<dyn Registry>>) {
    let name = "registry";
    match context.registry_if_any().await {
        Ok(Some(registry)) => {
            let url = &context.settings.registry.url;
            let file = msp_core::registry_file(url).map(|file| registry_file(&context.settings, file));
            (file.unwrap_or_else(|| Check::ok(name, url)), Some(registry))
        }
        Ok(None) => {
            let url = &context.settings.registry.url;
            (Check::ok(name, format!("none yet at {url}: the first start makes it")), None)
        }
        Err(error) => (Check::problem(name, error.to_string()), None),
    }
}

fn registry_file(settings: &Settings, file: &Path) -> Check {
    let name = "registry";
    let owner = |path: &Path| path.metadata().ok().map(|metadata| metadata.uid());
    let keys = pair_paths(&settings.server.keypath.join("server")).0;
    match (owner(file), owner(&keys)) {
        _ if !msp_keyfile::is_private(file) => {
            Check::warning(name, format!("others may read {0}; run: chmod 600 {0}", file.display()))
        }
        (Some(registry), Some(server)) if registry != server => Check::warning(
            name,
            format!("{} belongs to uid {registry}, {} to uid {server}", file.display(), keys.display()),
        ),
        _ => Check::ok(name, file.display().to_string()),
    }
}

/// Room where the registry and the log are.
pub(crate) fn disk_space(settings: &Settings) -> Vec<Check> {
    let places = [&settings.clients.keypath, &settings.log.directory];
    places
        .into_iter()
        .filter_map(|place| Some((place, rustix::fs::statvfs(place).ok()?)))
        .map(|(place, room)| {
            let mib = room.f_bavail.saturating_mul(room.f_frsize) / (1024 * 1024);
            let verdict = match mib {
                0..20 => Verdict::Problem,
                20..200 => Verdict::Warning,
                _ => Verdict::Ok,
            };
            Check::new("disk space", verdict, format!("{}: {mib} MiB free", place.display()))
        })
        .collect()
}
