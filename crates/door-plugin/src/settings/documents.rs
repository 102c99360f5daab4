//! `[paths] documents` and `[file_server]`: folders that the plugin door serves as they are.

use std::path::{Path, PathBuf};

use msp_settings::{Loaded, Setting, SettingsError};

use super::keys;

/// One folder of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentsSettings {
    /// Its route, without slashes: documents are at `/<route>/`.
    pub route: String,
    /// The folder.
    pub folder: PathBuf,
    /// The file that is served for a folder.
    pub index: String,
}

impl DocumentsSettings {
    /// Reads all folders; `reserved` holds the paths that are taken.
    pub(super) fn read(loaded: &Loaded, reserved: &[String]) -> Result<Vec<Self>, SettingsError> {
        let index = loaded.read(&keys::INDEX_FILE)?;
        let mut folders: Vec<Self> = Vec::new();
        for (key, own_name) in [(&keys::PATHS_DOCUMENTS, false), (&keys::FILE_DOCUMENTS, true)] {
            let setting = loaded.get(key);
            for item in &setting.value()? {
                let (route, folder) = split(item, own_name);
                let taken = |other: &str| other.eq_ignore_ascii_case(&route);
                if !is_legal(&route) || folder.is_empty() {
                    return Err(wrong(&setting, item, ILLEGAL));
                }
                if reserved.iter().any(|other| taken(other))
                    || folders.iter().any(|other| taken(&other.route))
                {
                    return Err(wrong(&setting, item, TAKEN));
                }
                folders.push(Self { route, folder: folder.into(), index: index.clone() });
            }
        }
        Ok(folders)
    }
}

/// A route is what stands before a colon that comes before any slash.
fn split(item: &str, own_name: bool) -> (String, &str) {
    match item.split_once(':') {
        Some((route, folder)) if !route.contains('/') => (route.to_owned(), folder),
        _ if own_name => {
            let name = Path::new(item).file_name().unwrap_or_default();
            (name.to_string_lossy().into_owned(), item)
        }
        _ => ("doc".to_owned(), item),
    }
}

/// One part of a path that no browser changes on its way.
fn is_legal(route: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    !matches!(route, "" | "." | "..") && route.len() <= 128 && route.chars().all(plain)
}

fn wrong(setting: &Setting<'_, Vec<String>>, item: &str, problem: &str) -> SettingsError {
    setting.refused(format!("{:?} {problem}", item.chars().take(80).collect::<String>()))
}

const ILLEGAL: &str = "has no route of letters, digits, '-', '.', '_' and '~'; write route:/folder";

const TAKEN: &str = "has a route that is taken; write another one before it: route:/folder";
