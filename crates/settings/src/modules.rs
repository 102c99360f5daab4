//! modules.ini: which functions exist, and a section for each that needs one.

use std::path::Path;

use msp_core::{ConfinementSpec, FunctionLimits, ModuleSpec, Namespace};
use msp_protocol::FunctionName;

use crate::error::SettingsError;
use crate::ini::{Entry, Ini, Section};
use crate::key::{AnyKey as _, Key, Setting};
use crate::keys::{self, FUNCTION};

/// The functions of the file; without a file, those of the built-in one.
pub(crate) fn read(file: Option<&Path>, ini: Option<&Ini>) -> Result<Vec<ModuleSpec>, SettingsError> {
    let built_in = Ini::parse("the built-in modules.ini", BUILT_IN)?;
    let sections = &ini.unwrap_or(&built_in).sections;
    let Some(list) = sections.iter().find(|section| section.name == "modules") else {
        let file = file.unwrap_or(Path::new("modules.ini")).display().to_string();
        return Err(SettingsError::ModulesMissing { file });
    };
    let specs = list.entries.iter().map(|entry| {
        let own = sections.iter().find(|section| section.name == entry.key);
        spec(entry, own)
    });
    let specs = specs.collect::<Result<Vec<_>, _>>()?;
    let known = |section: &Section| {
        section.name == "modules" || specs.iter().any(|spec| spec.function.as_str() == section.name)
    };
    match sections.iter().find(|section| !known(section)) {
        Some(stray) => {
            let (origin, section) = (stray.origin.clone(), stray.name.clone());
            Err(SettingsError::StraySection { origin, section })
        }
        None => Ok(specs),
    }
}

fn spec(line: &Entry, section: Option<&Section>) -> Result<ModuleSpec, SettingsError> {
    let entries = section.map_or(&[][..], |section| &section.entries);
    let known = |entry: &Entry| FUNCTION.iter().any(|key| key.definition().is_called(&entry.key));
    if let Some(stray) = entries.iter().find(|entry| !known(entry)) {
        return Err(SettingsError::UnknownKey {
            origin: stray.origin.clone(),
            section: line.key.clone(),
            key: stray.key.clone(),
            known: FUNCTION.iter().map(|key| key.definition().name).collect::<Vec<_>>().join(", "),
        });
    }
    let section = Function { name: &line.key, entries };
    Ok(ModuleSpec {
        function: function_name(line)?,
        namespace: Namespace::default(),
        module: module_name(line)?,
        access: section.read(&keys::ACCESS)?,
        classic_write: section.read(&keys::CLASSIC_WRITE)?,
        description: section.read(&keys::DESCRIPTION)?,
        limits: FunctionLimits {
            timeout: section.read(&keys::TIMEOUT)?,
            load_timeout: section.read(&keys::LOAD_TIMEOUT)?,
            max_concurrent: section.read(&keys::MAX_CONCURRENT)?,
            max_output: section.read(&keys::MAX_OUTPUT)?,
            memory: section.read(&keys::MEMORY)?,
        },
        route: section.read(&keys::ROUTE)?,
        confinement: ConfinementSpec {
            network: section.read(&keys::NETWORK)?,
            paths: section.read(&keys::PATHS)?,
        },
    })
}

/// The lines of a function's section.
struct Function<'a> {
    name: &'a str,
    entries: &'a [Entry],
}

impl Function<'_> {
    fn read<T: PartialEq>(&self, key: &'static Key<T>) -> Result<T, SettingsError> {
        let definition = key.definition();
        let entry = self.entries.iter().find(|entry| definition.is_called(&entry.key));
        let (text, origin) = entry.map_or((definition.default, ""), |entry| (&**entry.value, &*entry.origin));
        Setting { key, section: self.name, text, origin }.value()
    }
}

/// A name with `/` belongs to doors and built-in functions, never to a module.
fn function_name(line: &Entry) -> Result<FunctionName, SettingsError> {
    let name = line.key.parse().ok().filter(|_| !line.key.contains('/'));
    name.ok_or_else(|| SettingsError::FunctionName { origin: line.origin.clone(), name: line.key.clone() })
}

/// The name becomes a path inside the search path, which it must not leave: no `/`, no empty part between dots.
fn module_name(line: &Entry) -> Result<String, SettingsError> {
    let legal =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if line.value.len() <= 128 && line.value.split('.').all(legal) {
        return Ok(line.value.to_string());
    }
    Err(SettingsError::ModuleName { origin: line.origin.clone(), name: line.value.to_string() })
}

/// What holds without a file at the default path.
const BUILT_IN: &str = "[Modules]\ntime_test=simple_time\n";
