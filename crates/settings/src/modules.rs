//! modules.ini: which functions exist, and a section for each that needs one.

use std::path::Path;

use msp_core::{Access, ConfinementSpec, FunctionLimits, ModuleSpec, Route};
use msp_protocol::FunctionName;

use crate::error::SettingsError;
use crate::ini::{Entry, Ini, Section};
use crate::key::{Key, Setting};
use crate::table::{self as keys, FUNCTION};

/// The functions of the file; without a file, those of the built-in one.
pub(crate) fn read(file: Option<&Path>, ini: Option<Ini>) -> Result<Vec<ModuleSpec>, SettingsError> {
    let mut sections = match ini {
        Some(ini) => ini.sections,
        None => Ini::parse("the built-in modules.ini", BUILT_IN)?.sections,
    };
    let Some(list) = sections.iter().position(|section| section.name == "modules") else {
        let file = file.unwrap_or(Path::new("modules.ini")).display().to_string();
        return Err(SettingsError::ModulesMissing { file });
    };
    let list = sections.remove(list);
    let specs = list.entries.iter().map(|entry| {
        let own = sections.iter().find(|section| section.name == entry.key);
        spec(entry, own)
    });
    let specs = specs.collect::<Result<Vec<_>, _>>()?;
    let known = |section: &Section| specs.iter().any(|spec| spec.function.as_str() == section.name);
    match sections.into_iter().find(|section| !known(section)) {
        Some(Section { name, origin, .. }) => Err(SettingsError::StraySection { origin, section: name }),
        None => Ok(specs),
    }
}

fn spec(line: &Entry, section: Option<&Section>) -> Result<ModuleSpec, SettingsError> {
    let entries = section.map_or(&[][..], |section| &section.entries);
    if let Some(stray) = entries.iter().find(|entry| find(&entry.key).is_none()) {
        return Err(SettingsError::UnknownKey {
            origin: stray.origin.clone(),
            section: line.key.clone(),
            key: stray.key.clone(),
            known: FUNCTION.iter().map(|key| key.name).collect::<Vec<_>>().join(", "),
        });
    }
    let get = |key: &'static Key| {
        let entry = entries.iter().find(|entry| entry.key.eq_ignore_ascii_case(key.name));
        let (text, origin) = entry.map_or((key.default, ""), |entry| (&**entry.value, &*entry.origin));
        Setting { key, section: &line.key, text, origin }
    };
    Ok(ModuleSpec {
        function: function_name(line)?,
        module: module_name(line)?,
        access: if get(&keys::ACCESS).choice()? == "write" { Access::Write } else { Access::Read },
        classic_write: get(&keys::CLASSIC_WRITE).switch()?,
        description: get(&keys::DESCRIPTION).text.to_owned(),
        limits: FunctionLimits {
            timeout: get(&keys::TIMEOUT).seconds()?,
            load_timeout: get(&keys::LOAD_TIMEOUT).seconds()?,
            max_concurrent: get(&keys::MAX_CONCURRENT).number()?,
            max_output: get(&keys::MAX_OUTPUT).number()?,
            memory: get(&keys::MEMORY).optional_number()?,
        },
        route: match get(&keys::ROUTE).choice()? {
            "yes" => Some(Route::Key),
            "open" => Some(Route::Open),
            _ => None,
        },
        confinement: ConfinementSpec {
            network: get(&keys::NETWORK).switch()?,
            paths: get(&keys::PATHS).reach()?,
        },
    })
}

fn find(name: &str) -> Option<&'static Key> {
    FUNCTION.iter().copied().find(|key| key.name.eq_ignore_ascii_case(name))
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
