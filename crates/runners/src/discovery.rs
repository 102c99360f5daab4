//! Where a module is, and what kind of module.

mod faults;

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use msp_core::Stamp;

pub(crate) use self::faults::program_fault;

/// A module as it was found in the search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A program.
    Executable(PathBuf),
    /// A Python module, or a package with its `__init__.py`.
    Python { path: PathBuf, package: bool },
    /// A WebAssembly module.
    Wasm(PathBuf),
}

/// Why a module was not found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotFound {
    /// The name could lead out of the search path.
    #[error("`{0}` is no name of a module: no `/`, no control character, and nothing empty beside a dot")]
    Name(String),
    /// Something lies there that is none.
    #[error("{0}")]
    Fault(String),
    /// No folder has it.
    #[error("no {0}.py, no executable {0}, no {0}.wasm in {1}, and nothing native of that name")]
    Nowhere(String, String),
}

/// Looks a module up in each folder in turn: `<module>.py`, an executable `<module>`, `<module>.wasm`.
///
/// # Errors
/// [`NotFound`]: a native module may still have the name.
pub(crate) fn find(folders: &[PathBuf], module: &str) -> Result<Found, NotFound> {
    if !is_legal(module) {
        return Err(NotFound::Name(module.escape_debug().to_string()));
    }
    folders.iter().find_map(|folder| find_in(folder, module)).ok_or_else(|| {
        if let Some(fault) = faults::near_miss(folders, module) {
            return NotFound::Fault(fault);
        }
        let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
        NotFound::Nowhere(module.to_owned(), folders.join(":"))
    })
}

/// Dots separate packages, so no part may be empty; that rules `..` out as well.
fn is_legal(module: &str) -> bool {
    module.split('.').all(|part| !part.is_empty() && !part.contains(|c: char| c == '/' || c.is_control()))
}

fn find_in(folder: &Path, module: &str) -> Option<Found> {
    let inside = folder.canonicalize().ok()?;
    let dotted = inside.join(module.replace('.', "/"));
    let with_ending = |ending| {
        let mut file = dotted.clone().into_os_string();
        file.push(ending);
        file_inside(&inside, Path::new(&file))
    };
    if let Some((path, _)) = with_ending(".py") {
        return Some(Found::Python { path, package: false });
    }
    if let Some((path, _)) = file_inside(&inside, &dotted.join("__init__.py")) {
        return Some(Found::Python { path, package: true });
    }
    match file_inside(&inside, &inside.join(module)) {
        Some((path, metadata)) if is_executable(&metadata) => Some(Found::Executable(path)),
        _ => with_ending(".wasm").map(|(path, _)| Found::Wasm(path)),
    }
}

/// The path, if it is a file that does not lead out of the folder by a link.
fn file_inside(folder: &Path, path: &Path) -> Option<(PathBuf, Metadata)> {
    let metadata = path.metadata().ok().filter(Metadata::is_file)?;
    path.canonicalize().ok()?.starts_with(folder).then(|| (path.to_owned(), metadata))
}

fn is_executable(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o111 != 0
}

/// What changes when a file of the search path does.
pub(crate) type Fingerprint = Vec<FileStamp>;
/// One file as it is.
pub(crate) type FileStamp = (PathBuf, Stamp);

/// The most files that are watched.
const FILES: usize = 4096;
/// How deep packages are watched.
const DEPTH: usize = 6;

/// The modules and programs of the search path as they are now, sorted.
pub(crate) fn fingerprint(folders: &[PathBuf]) -> Fingerprint {
    let mut files = Vec::new();
    for folder in folders {
        collect(folder, 0, &mut files);
    }
    files.sort_unstable();
    files
}

/// The Python files among them.
pub(crate) fn python_files(fingerprint: &Fingerprint) -> impl Iterator<Item = &FileStamp> {
    fingerprint.iter().filter(|(path, _)| is_python(path))
}

fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "py")
}

fn is_wasm(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "wasm")
}

fn collect(folder: &Path, depth: usize, files: &mut Fingerprint) {
    let Ok(entries) = folder.read_dir() else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(metadata) = path.metadata() else { continue };
        if files.len() >= FILES {
            return;
        }
        if metadata.is_dir() && depth < DEPTH && is_code(&path) {
            collect(&path, depth + 1, files);
        } else if metadata.is_file() && (is_python(&path) || is_wasm(&path) || is_executable(&metadata)) {
            files.push((path, Stamp::from(&metadata)));
        }
    }
}

/// False for folders that hold no module of the operator's own.
fn is_code(folder: &Path) -> bool {
    let name = folder.components().next_back().map(Component::as_os_str).and_then(|name| name.to_str());
    name.is_some_and(|name| !name.starts_with('.') && !matches!(name, "__pycache__" | "site-packages"))
}

#[cfg(test)]
mod tests;
