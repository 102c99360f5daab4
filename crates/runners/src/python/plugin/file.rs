//! One plugin file as it is: its source, its parameters, its limits.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use msp_core::{Access, ConfinementPath, ConfinementSpec, FunctionLimits, PluginsSpec};
use msp_protocol::envelope::whole_numbers_fit;
use serde_json::{Map, Value};

use crate::bounded_file;
use crate::python::source::read;

/// The most files of a folder that are looked at.
const FILES: usize = 4096;
/// The largest file of parameters, in bytes.
const LARGEST_JSON: u64 = 1024 * 1024;
/// Memory of one host, in bytes, when its parameters set none.
const MEMORY: u64 = 1024 * 1024 * 1024;
const MIB: u64 = 1024 * 1024;

/// A plugin file with everything that its host is given.
#[derive(Clone)]
#[cfg_attr(test, derive(Debug))]
pub(super) struct PluginFile {
    /// Its name without `.py`.
    pub(super) stem: String,
    pub(super) path: PathBuf,
    pub(super) source: Arc<str>,
    /// What its plugins are constructed with: the parameters, overlaid by the members of the file that `json=` names.
    pub(super) parameters: Map<String, Value>,
    pub(super) access: Access,
    pub(super) limits: FunctionLimits,
    pub(super) memory: u64,
    pub(super) confinement: ConfinementSpec,
}

/// The plugin files of the folder, in the order of their names.
///
/// # Errors
/// What the system says when the folder cannot be listed.
pub(super) fn find(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<_> = folder
        .read_dir()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_plugin_file(path))
        .take(FILES)
        .collect();
    files.sort_unstable();
    Ok(files)
}

fn is_plugin_file(path: &Path) -> bool {
    let named = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| {
        name.ends_with(".py") && !name.starts_with('.') && !matches!(name, "__init__.py" | "__main__.py")
    });
    named && path.is_file()
}

impl PluginFile {
    /// Reads the file and what belongs to it.
    ///
    /// # Errors
    /// One line for the operator.
    pub(super) fn read(path: &Path, spec: &PluginsSpec) -> Result<Self, String> {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).ok_or("its name is not UTF-8")?.to_owned();
        let given = spec.parameters.get(&stem.to_lowercase()).map_or(&[][..], Vec::as_slice);
        let mut file = Self {
            path: path.to_owned(),
            source: read(path).map_err(|error| error.to_string())?,
            parameters: self::given(&stem, spec),
            access: Access::Read,
            limits: FunctionLimits::default(),
            memory: MEMORY,
            confinement: ConfinementSpec::default(),
            stem,
        };
        for (name, value) in given {
            file.take(name, value).ok_or_else(|| format!("its parameter {name} cannot be {value:?}"))?;
        }
        if let Some((_, name)) = given.iter().find(|(name, _)| name == "json") {
            file.overlay(&spec.folder, name)?;
        }
        Ok(file)
    }

    /// Takes a parameter that is for us; none when its value is wrong.
    fn take(&mut self, name: &str, value: &str) -> Option<()> {
        match name {
            "access" => self.access = access(value)?,
            "msp_load_timeout" => {
                let seconds = value.parse().ok().filter(|seconds| (1..=600).contains(seconds))?;
                self.limits.load_timeout = Duration::from_secs(seconds);
            }
            "msp_max_concurrent" => {
                self.limits.max_concurrent =
                    value.parse().ok().filter(|calls| (1..=100_000).contains(calls))?;
            }
            "msp_memory" => {
                self.memory = value.strip_suffix(['M', 'm'])?.parse::<u64>().ok()?.checked_mul(MIB)?
            }
            "msp_network" => self.confinement.network = switch(value)?,
            "msp_paths" => {
                self.confinement.paths = value.split(':').map(reach_path).collect::<Option<_>>()?
            }
            "msp_timeout" => {
                let seconds = value.parse().ok().filter(|seconds| (1..=3600).contains(seconds))?;
                self.limits.timeout = Duration::from_secs(seconds);
            }
            _ => {}
        }
        Some(())
    }

    /// Lays the members of a JSON file of the plugins' folder over the parameters.
    fn overlay(&mut self, folder: &Path, name: &str) -> Result<(), String> {
        let path = folder.join(name);
        let inside = folder.canonicalize().map_err(|error| error.to_string())?;
        let found = match path.canonicalize() {
            Ok(found) if found.starts_with(&inside) => found,
            Err(error) if !name.split('/').any(|part| part == "..") && !name.starts_with('/') => {
                tracing::warn!("plugin file {}.py: json={name} is left out: {error}", self.stem);
                return Ok(());
            }
            _ => return Err(format!("json={name} leads out of the plugins' folder")),
        };
        match members(&found) {
            Ok(members) => self.parameters.extend(members),
            Err(error) => tracing::warn!("plugin file {}.py: json={name} is left out: {error}", self.stem),
        }
        Ok(())
    }
}

/// The first of these parameters that there is, their names in any case.
pub(super) fn parameter(parameters: &Map<String, Value>, names: &[&str]) -> Option<String> {
    let of = |name: &str| {
        let found = parameters.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    names.iter().find_map(|name| of(name))
}

/// The parameters of a file by its name, as the configuration has them.
pub(super) fn given(stem: &str, spec: &PluginsSpec) -> Map<String, Value> {
    let given = spec.parameters.get(&stem.to_lowercase()).map_or(&[][..], Vec::as_slice);
    given.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect()
}

fn members(path: &Path) -> Result<Map<String, Value>, String> {
    if !path.is_file() {
        return Err("it is no file".to_owned());
    }
    let text = bounded_file::read(path, LARGEST_JSON).map_err(|error| error.to_string())?;
    let members = serde_json::from_slice(&text).map_err(|error| format!("no JSON object: {error}"))?;
    match whole_numbers_fit(&text) {
        true => Ok(members),
        false => Err("a whole number in it is beyond 64 bits; write it as text".to_owned()),
    }
}

fn access(value: &str) -> Option<Access> {
    match value {
        "read" => Some(Access::Read),
        "write" => Some(Access::Write),
        _ => None,
    }
}

fn switch(value: &str) -> Option<bool> {
    match value {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn reach_path(part: &str) -> Option<ConfinementPath> {
    let (path, writable) = part.strip_prefix('+').map_or((part, false), |path| (path, true));
    let path = PathBuf::from(path);
    let legal = path.is_absolute() && !path.components().any(|part| part == std::path::Component::ParentDir);
    legal.then_some(ConfinementPath { path, writable })
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn read_with(parameters: &[(&str, &str)], files: &[(&str, &str)]) -> Result<PluginFile, String> {
        let folder = tempfile::tempdir().unwrap();
        let plugins = folder.path().join("plugins");
        std::fs::create_dir(&plugins).unwrap();
        for (name, text) in [("CpuInfo.py", "pass")].iter().chain(files) {
            std::fs::write(plugins.join(name), text).unwrap();
        }
        let parameters = parameters.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let spec = PluginsSpec {
            folder: plugins.clone(),
            parameters: [("cpuinfo".to_owned(), parameters.collect())].into(),
            config: json!({}),
            ini_file: String::new(),
            has_key: false,
            reserved: Vec::new(),
        };
        PluginFile::read(&plugins.join("CpuInfo.py"), &spec)
    }

    #[test]
    fn plugin_17_members_of_the_json_file_overlay_the_parameters() {
        let file = read_with(&[("a", "1"), ("b", "2"), ("json", "x.json")], &[("x.json", r#"{"b": [3]}"#)]);
        let given = Value::Object(file.unwrap().parameters);
        assert_eq!(given, json!({ "a": "1", "b": [3], "json": "x.json" }));
    }

    #[test]
    fn plugin_17_a_json_file_outside_the_folder_is_refused() {
        for name in ["../x", "../plugins/../x.json", "/etc/passwd", "/etc/nosuch"] {
            let refused = read_with(&[("json", name)], &[("../x", "{}")]).unwrap_err();
            assert_eq!(refused, format!("json={name} leads out of the plugins' folder"));
        }
        for name in ["nosuch.json", "CpuInfo.py"] {
            assert!(read_with(&[("json", name)], &[]).is_ok(), "{name}");
        }
    }

    #[test]
    fn parameters_of_ours_set_limits_and_a_wrong_one_refuses_the_file() {
        let file = read_with(
            &[("access", "write"), ("msp_timeout", "5"), ("msp_memory", "64M"), ("msp_paths", "/a:+/b")],
            &[],
        )
        .unwrap();
        assert_eq!((file.access, file.limits.timeout), (Access::Write, Duration::from_secs(5)));
        assert_eq!((file.memory, file.confinement.paths.len()), (64 * MIB, 2));
        let file = read_with(&[("msp_load_timeout", "600")], &[]).unwrap();
        assert_eq!(file.limits.load_timeout, Duration::from_secs(600));
        for (name, value) in [("msp_load_timeout", "0"), ("msp_load_timeout", "601")] {
            assert!(read_with(&[(name, value)], &[]).is_err());
        }
        for (name, value) in [("access", "x"), ("msp_timeout", "0"), ("msp_memory", "x"), ("msp_paths", "a")]
        {
            assert_eq!(
                read_with(&[(name, value)], &[]).unwrap_err(),
                format!("its parameter {name} cannot be {value:?}")
            );
        }
    }

    #[test]
    fn plugin_files_are_found_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.py", "a.py", ".c.py", "__init__.py", "d.txt"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        std::fs::create_dir(folder.path().join("e.py")).unwrap();
        let names = find(folder.path()).unwrap();
        assert_eq!(names, ["a.py", "b.py"].map(|name| folder.path().join(name)));
    }
}
