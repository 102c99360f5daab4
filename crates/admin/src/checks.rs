//! What `check-config` and `doctor` look at; all they may change is the schema of an older registry.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use msp_core::ModuleSpec;
use msp_keyfile::{KeyFileError, pair_paths};
use msp_registry::SqlRegistry;
use msp_settings::Settings;
use rustix::fs::Access;
use serde::Serialize;

use crate::context::Context;
use crate::error::AdminError;
use crate::output::{Cell, Tone};

/// The outcome of one look.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
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
    pub(crate) fn new(name: &'static str, verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { name, verdict, detail: detail.into() }
    }

    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, detail)
    }

    fn warning(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Warning, detail)
    }

    pub(crate) fn problem(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Problem, detail)
    }
}

/// An error when there is a problem among them, so that the exit code says so.
pub(crate) fn verdict(checks: &[Check]) -> Result<(), AdminError> {
    let problem = checks.iter().any(|check| check.verdict == Verdict::Problem);
    if problem { Err(AdminError::Reported) } else { Ok(()) }
}

/// Which files were read, and what in them should be looked at.
pub(crate) fn configuration(settings: &Settings) -> Vec<Check> {
    let file = |path: &Option<PathBuf>| {
        path.as_ref().map_or_else(|| "built-in".to_owned(), |path| path.display().to_string())
    };
    let plugins = settings.plugins_config_path.as_ref();
    let plugins = plugins.map_or_else(String::new, |path| format!("; plugins: {}", path.display()));
    let (config, modules) = (file(&settings.config_path), file(&settings.modules_path));
    let read = format!("config.ini: {config}; modules.ini: {modules}{plugins}");
    let warnings = settings.warnings.iter().map(|warning| Check::warning("configuration", warning));
    std::iter::once(Check::ok("configuration", read)).chain(warnings).collect()
}

/// The server's pair of keys.
pub(crate) fn server_keys(settings: &Settings) -> Check {
    let name = "server keys";
    let (private, public) = pair_paths(&settings.server.keypath.join("server"));
    let found = (msp_keyfile::read_private_key(&private), msp_keyfile::read_public_key(&public));
    match found {
        (Ok(key), Ok(half)) if *key.public() != half => {
            Check::problem(name, KeyFileError::Mismatch { private, public }.to_string())
        }
        (Ok(_), _) if !msp_keyfile::is_private(&private) => {
            Check::warning(name, format!("others may read {0}; run: chmod 600 {0}", private.display()))
        }
        (Ok(key), Ok(_)) => {
            Check::ok(name, format!("{}, fingerprint {}", public.display(), key.public().fingerprint()))
        }
        (Ok(_), Err(KeyFileError::NotFound { .. })) => {
            Check::ok(name, format!("{} is missing and is rebuilt when it is needed", public.display()))
        }
        (Err(KeyFileError::NotFound { .. }), Err(KeyFileError::NotFound { .. })) => Check::ok(
            name,
            format!("none yet in {}: the first start makes them", settings.server.keypath.display()),
        ),
        (Err(KeyFileError::NotFound { .. }), _) => {
            Check::problem(name, KeyFileError::PrivateHalfMissing { private, public }.to_string())
        }
        (Err(error), _) | (_, Err(error)) => Check::problem(name, error.to_string()),
    }
}

/// Whether the registry can be opened, and whose it is.
pub(crate) async fn registry(context: &Context) -> (Check, Option<SqlRegistry>) {
    let name = "registry";
    match context.registry_if_any().await {
        Ok(Some(registry)) => (registry_file(name, &context.settings, registry.path()), Some(registry)),
        Ok(None) => {
            let url = &context.settings.registry.url;
            (Check::ok(name, format!("none yet at {url}: the first start makes it")), None)
        }
        Err(error) => (Check::problem(name, error.to_string()), None),
    }
}

fn registry_file(name: &'static str, settings: &Settings, file: &Path) -> Check {
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

/// Whether the log can be written.
pub(crate) fn log_folder(settings: &Settings) -> Check {
    let (name, folder) = ("log", &settings.log.directory);
    if !folder.exists() {
        return Check::ok(name, format!("{} is made by the first start", folder.display()));
    }
    if !folder.is_dir() {
        return Check::problem(name, format!("{} is no folder", folder.display()));
    }
    match rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => Check::ok(name, folder.display().to_string()),
        Err(error) => Check::problem(name, format!("{} cannot be written: {error}", folder.display())),
    }
}

/// Whether each line of modules.ini leads to a module.
pub(crate) fn modules(settings: &Settings) -> Vec<Check> {
    let name = "modules";
    let missing: Vec<_> = settings
        .modules
        .iter()
        .filter(|spec| find(settings, spec).is_none())
        .map(|spec| {
            let (function, module) = (&spec.function, &spec.module);
            Check::problem(
                name,
                format!(
                    "{function}={module}: no {module}.py, no executable {module} and no {module}.wasm in {}",
                    folders(settings)
                ),
            )
        })
        .collect();
    if missing.is_empty() {
        return vec![Check::ok(
            name,
            format!("all {} found, in {} or built in", settings.modules.len(), folders(settings)),
        )];
    }
    missing
}

/// Whether the interpreter is there, when a module needs it.
pub(crate) fn python(settings: &Settings) -> Check {
    let (name, python) = ("python", &settings.runners.python);
    if !settings.modules.iter().any(|spec| find(settings, spec) == Some(Module::Python)) {
        return Check::ok(name, "not needed: no module is a .py file");
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = if python.components().count() > 1 {
        vec![python.clone()]
    } else {
        std::env::split_paths(&path).map(|folder| folder.join(python)).collect()
    };
    match places.iter().find(|place| is_executable(place)) {
        // The link's end tells the version: python3 → python3.11.
        Some(place) => Check::ok(name, place.canonicalize().as_ref().unwrap_or(place).display().to_string()),
        None => Check::problem(name, format!("[Runners] Python: no program {} is found", python.display())),
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

/// What a module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Module {
    Executable,
    Native,
    Python,
    Wasm,
}

fn find(settings: &Settings, spec: &ModuleSpec) -> Option<Module> {
    let in_folder = |folder: &PathBuf| {
        let dotted = folder.join(spec.module.replace('.', "/"));
        let file = with_ending(&dotted, ".py");
        if file.is_file() || dotted.join("__init__.py").is_file() {
            return Some(Module::Python);
        }
        if is_executable(&folder.join(&spec.module)) {
            return Some(Module::Executable);
        }
        with_ending(&dotted, ".wasm").is_file().then_some(Module::Wasm)
    };
    let native = || NATIVE.contains(&spec.module.as_str()).then_some(Module::Native);
    settings.search_path.iter().find_map(in_folder).or_else(native)
}

/// The path with an ending added; a dot in the name stays.
fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    PathBuf::from(path)
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

fn folders(settings: &Settings) -> String {
    settings.search_path.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
}

/// The modules that are compiled into the server.
const NATIVE: [&str; 9] = [
    "cpuinfo",
    "diskinfo",
    "echo",
    "ifinfo",
    "raminfo",
    "server_time",
    "simple_time",
    "systeminfo",
    "uptime",
];
