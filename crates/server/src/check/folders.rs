//! The folders that a start writes into or reads from.

use std::io;
use std::path::Path;

use msp_core::{Finding, registry_file};
use rustix::fs::Access;

use crate::configuration::Configuration;

/// Each folder that cannot be used as a start would.
pub(super) fn look(Configuration { settings, plugin }: &Configuration) -> Vec<Finding> {
    let registry = registry_file(&settings.registry.url);
    let pidfile = settings.pidfile.as_deref();
    let written = [
        ("[Server] Keypath", Some(settings.server.keypath.as_path())),
        ("[Clients] Keypath", Some(settings.clients.keypath.as_path())),
        ("[Log] Folder", Some(settings.log.directory.as_path())),
        ("[Registry] Url", registry.and_then(folder_of)),
        ("[paths] pidfile", pidfile.and_then(folder_of)),
    ];
    let log = log_file(&settings.log.directory.join("latest.log")).err();
    let written = written.into_iter().filter_map(|(place, folder)| writable(place, folder?).err());
    let door = plugin.iter();
    let plugins = door.clone().map(|door| ("[paths] plugins", door.spec.folder.as_path()));
    let documents = door.flat_map(|door| &door.documents);
    let documents = documents.map(|documents| ("[paths] documents", documents.folder.as_path()));
    let read = plugins.chain(documents).filter_map(|(place, folder)| readable(place, folder).err());
    let mut findings: Vec<Finding> = Vec::new();
    // The same folder often stands behind several keys; one line about it is enough.
    for finding in written.chain(log).chain(read) {
        if !findings.iter().any(|before| before.problem == finding.problem) {
            findings.push(finding);
        }
    }
    findings
}

/// A folder that is there can be written, and one that is not can be made.
fn writable(place: &str, folder: &Path) -> Result<(), Finding> {
    let shown = folder.display();
    if !exists(place, folder)? {
        let above = folder_of(folder).unwrap_or(Path::new("/"));
        return writable(place, above).map_err(|error| {
            Finding::new(place, format!("{shown} cannot be made: {}", error.problem), error.hint)
        });
    }
    let access = Access::WRITE_OK | Access::EXEC_OK;
    allowed(folder, access).map_err(|error| {
        let hint = format!("give it to the server's user ({}), or name another folder", me());
        Finding::new(place, format!("{shown} cannot be written: {error}"), hint)
    })
}

fn readable(place: &str, folder: &Path) -> Result<(), Finding> {
    let shown = folder.display();
    if !exists(place, folder)? {
        let hint = match folder.to_string_lossy() {
            path if path.starts_with('~') => "write the whole path: nothing stands for ~ here",
            path if path.starts_with(['"', '\'']) => "write the path without quotes",
            _ => "make the folder, or name another",
        };
        return Err(Finding::new(place, format!("there is no folder {shown}"), hint));
    }
    allowed(folder, Access::READ_OK | Access::EXEC_OK).map_err(|error| {
        let hint = format!("let the server's user ({}) read it, or name another folder", me());
        Finding::new(place, format!("{shown} cannot be read: {error}"), hint)
    })
}

/// The log, where there is one already, is a file that can be written, or what is meant to take it.
fn log_file(path: &Path) -> Result<(), Finding> {
    let place = "[Log] Folder";
    let shown = path.display();
    match path.metadata() {
        Ok(found) if found.is_dir() => {
            Err(Finding::new(place, format!("{shown} is no file"), "move it away, or name another folder"))
        }
        Ok(_) => allowed(path, Access::WRITE_OK).map_err(|error| {
            let hint = format!("give it to the server's user ({}), or move it away", me());
            Finding::new(place, format!("{shown} cannot be written: {error}"), hint)
        }),
        // What keeps it from being reached is told of the folder.
        Err(_) => Ok(()),
    }
}

/// False when nothing is there; an error when something else than a folder is, or when it cannot be found out.
fn exists(place: &str, folder: &Path) -> Result<bool, Finding> {
    let shown = folder.display();
    match folder.metadata() {
        Ok(found) if found.is_dir() => Ok(true),
        Ok(_) => Err(Finding::new(place, format!("{shown} is no folder"), "name a folder")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => {
            let hint = format!("let the server's user ({}) reach it, or name another folder", me());
            Err(Finding::new(place, format!("{shown} cannot be reached: {error}"), hint))
        }
    }
}

fn allowed(folder: &Path, access: Access) -> io::Result<()> {
    Ok(rustix::fs::access(folder, access)?)
}

/// Who would start the server, as far as this can know: who checks.
fn me() -> String {
    format!("here uid {}", rustix::process::geteuid().as_raw())
}

/// The folder a path lies in.
fn folder_of(path: &Path) -> Option<&Path> {
    let folder = path.parent()?;
    Some(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}
