//! What is wrong with a file that ought to be a module, and what would be right.

use std::fs::Metadata;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{is_executable, is_legal};

/// Bytes of a program that tell what runs it; the kernel reads no more either.
const BEGINNING: u64 = 256;

/// What lies where the module would be, and why it is none.
pub(super) fn near_miss(folders: &[PathBuf], module: &str) -> Option<String> {
    if !is_legal(module) {
        return None;
    }
    folders.iter().find_map(|folder| near_miss_in(folder, module))
}

fn near_miss_in(folder: &Path, module: &str) -> Option<String> {
    let inside = folder.canonicalize().ok()?;
    let dotted = inside.join(module.replace('.', "/"));
    let with_ending = |ending: &str| {
        let mut file = dotted.clone().into_os_string();
        file.push(ending);
        PathBuf::from(file)
    };
    let places = [
        (with_ending(".py"), "a Python module is a file"),
        (dotted.join("__init__.py"), "a package's __init__.py is a file"),
        (inside.join(module), "a package needs an __init__.py in it"),
        (with_ending(".wasm"), "a WebAssembly module is a file"),
    ];
    places.into_iter().find_map(|(path, what)| fault_of(&inside, &path, what))
}

fn fault_of(folder: &Path, path: &Path, what: &str) -> Option<String> {
    let link = path.symlink_metadata().ok()?;
    let shown = path.display();
    let metadata = match path.metadata() {
        Ok(metadata) => metadata,
        Err(error) if link.is_symlink() => {
            let target = path.read_link().unwrap_or_default();
            return Some(format!("{shown} is a link to {}, which cannot be read: {error}", target.display()));
        }
        Err(error) => return Some(format!("{shown}: {error}")),
    };
    if let Some(target) = path.canonicalize().ok().filter(|target| !target.starts_with(folder)) {
        return Some(format!(
            "{shown} is a link that leads out of its folder, to {}: put the file itself there, or its folder into the \
             search path (PYTHONPATH)",
            target.display()
        ));
    }
    if metadata.is_dir() {
        return Some(format!("{shown} is a folder: {what}"));
    }
    let is_program = metadata.is_file() && path.extension().is_none();
    (is_program && !is_executable(&metadata)).then(|| format!("{shown} is not executable: chmod +x it"))
}

/// Why the kernel cannot start a program; none when it may.
pub(crate) fn program_fault(path: &Path) -> Option<String> {
    let mut beginning = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(BEGINNING).read_to_end(&mut beginning).ok()?;
    let shown = path.display();
    let Some(line) = beginning.strip_prefix(b"#!") else {
        // What is no text may have a format that the kernel knows, or was told of.
        let is_text = std::str::from_utf8(&beginning).is_ok() && !beginning.contains(&0);
        return is_text.then(|| {
            format!("{shown} has no first line that says what runs it, such as #!/bin/sh or #!/usr/bin/env python3")
        });
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if line.ends_with(b"\r") {
        return Some(format!(
            "{shown} has lines that end with CRLF, as on Windows, so its #! names an interpreter that does not exist: \
             save it with LF (sed -i 's/\\r$//' {shown})"
        ));
    }
    let line = line.trim_ascii_start();
    let name = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let interpreter = Path::new(&*name);
    let fault = match interpreter.metadata() {
        _ if name.is_empty() => "names none".to_owned(),
        Err(error) => format!("is {}, which cannot be used: {error}", name.escape_debug()),
        Ok(metadata) if !runs(&metadata) => {
            format!("is {}, which is not executable", name.escape_debug())
        }
        Ok(_) => return None,
    };
    Some(format!("{shown}: the interpreter in its first line, #!, {fault}"))
}

fn runs(metadata: &Metadata) -> bool {
    metadata.is_file() && is_executable(metadata)
}
