#![allow(clippy::disallowed_methods, reason = "tests")]

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

fn folder(files: &[(&str, u32)]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    for (name, mode) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
    }
    let path = folder.path().canonicalize().unwrap();
    (folder, path)
}

fn python(path: PathBuf) -> Found {
    Found::Python { path, package: false }
}

#[test]
fn a_python_file_comes_before_an_executable() {
    let (_keep, path) = folder(&[("both.py", 0o644), ("both", 0o755), ("tool", 0o755)]);
    let folders = [path.clone()];
    assert_eq!(find(&folders, "both").unwrap(), python(path.join("both.py")));
    assert_eq!(find(&folders, "tool").unwrap(), Found::Executable(path.join("tool")));
}

#[test]
fn an_executable_comes_before_a_webassembly_module() {
    let (_keep, path) = folder(&[("a", 0o755), ("a.wasm", 0o644), ("b.py", 0o644), ("b.wasm", 0o644)]);
    let (_other, deep) = folder(&[("c", 0o644), ("c.wasm", 0o644), ("pkg/d.wasm", 0o644)]);
    let folders = [path.clone(), deep.clone()];
    assert_eq!(find(&folders, "a").unwrap(), Found::Executable(path.join("a")));
    assert_eq!(find(&folders, "b").unwrap(), python(path.join("b.py")));
    assert_eq!(find(&folders, "c").unwrap(), Found::Wasm(deep.join("c.wasm")));
    assert_eq!(find(&folders, "pkg.d").unwrap(), Found::Wasm(deep.join("pkg/d.wasm")));
}

#[test]
fn the_first_folder_that_has_it_wins() {
    let (_keep, first) = folder(&[("tool", 0o755)]);
    let (_keep, second) = folder(&[("tool.py", 0o644), ("other.py", 0o644)]);
    let folders = [PathBuf::from("/nonexistent"), first.clone(), second.clone()];
    assert_eq!(find(&folders, "tool").unwrap(), Found::Executable(first.join("tool")));
    assert_eq!(find(&folders, "other").unwrap(), python(second.join("other.py")));
}

#[test]
fn dots_lead_into_packages_and_a_package_is_a_module() {
    let (_keep, path) = folder(&[("pkg/__init__.py", 0o644), ("pkg/mod.py", 0o644)]);
    let folders = [path.clone()];
    assert_eq!(find(&folders, "pkg.mod").unwrap(), python(path.join("pkg/mod.py")));
    let package = Found::Python { path: path.join("pkg/__init__.py"), package: true };
    assert_eq!(find(&folders, "pkg").unwrap(), package);
}

#[test]
fn a_file_without_the_x_bit_is_no_executable() {
    let (_keep, path) = folder(&[("notes", 0o644)]);
    let told = find(std::slice::from_ref(&path), "notes").unwrap_err().to_string();
    assert_eq!(told, format!("{} is not executable: chmod +x it", path.join("notes").display()));
}

#[test]
fn no_name_leads_out_of_the_search_path() {
    let (_keep, path) = folder(&[("in/x.py", 0o644), ("out.py", 0o644), ("out", 0o755)]);
    let inner = path.join("in");
    symlink(path.join("out.py"), inner.join("link.py")).unwrap();
    symlink(path.join("out"), inner.join("link")).unwrap();
    symlink(inner.join("x.py"), inner.join("within.py")).unwrap();
    let folders = [inner];
    for name in ["../out", "..", ".", "", "/etc/passwd", "a..b", "x\0", ".x", "x."] {
        assert!(matches!(find(&folders, name), Err(NotFound::Name(_))), "{name:?}");
    }
    assert!(matches!(find(&folders, "link"), Err(NotFound::Fault(..))));
    assert!(find(&folders, "within").is_ok());
}

#[test]
fn the_fingerprint_sees_modules_and_programs_and_nothing_else() {
    let (_keep, path) =
        folder(&[("m.py", 0o644), ("pkg/deep.py", 0o644), ("tool", 0o755), ("w.wasm", 0o644)]);
    let folders = [path.clone()];
    let before = fingerprint(&folders);
    assert_eq!(before.len(), 4);
    fs::write(path.join("state.json"), "{}").unwrap();
    fs::create_dir(path.join("__pycache__")).unwrap();
    fs::write(path.join("__pycache__/m.py"), "").unwrap();
    assert_eq!(fingerprint(&folders), before);
    fs::write(path.join("pkg/deep.py"), "x").unwrap();
    assert_ne!(fingerprint(&folders), before);
}

#[test]
fn what_lies_in_a_modules_place_and_is_none_is_named() {
    let (_keep, path) = folder(&[("in/x.py", 0o644), ("out.py", 0o644), ("out", 0o755)]);
    let inner = path.join("in");
    for name in ["folder.py", "package", "half.wasm"] {
        fs::create_dir(inner.join(name)).unwrap();
    }
    symlink("../out.py", inner.join("pylink.py")).unwrap();
    symlink("../out", inner.join("link")).unwrap();
    symlink("nowhere", inner.join("dangling")).unwrap();
    let told = |name: &str| {
        let told = find(std::slice::from_ref(&inner), name).unwrap_err().to_string();
        told.replace(path.to_str().unwrap(), "")
    };
    let out = "put the file itself there, or its folder into the search path (PYTHONPATH)";
    for (name, expected) in [
        ("folder", "/in/folder.py is a folder: a Python module is a file".to_owned()),
        ("package", "/in/package is a folder: a package needs an __init__.py in it".to_owned()),
        ("half", "/in/half.wasm is a folder: a WebAssembly module is a file".to_owned()),
        ("pylink", format!("/in/pylink.py is a link that leads out of its folder, to /out.py: {out}")),
        ("link", format!("/in/link is a link that leads out of its folder, to /out: {out}")),
    ] {
        assert_eq!(told(name), expected);
    }
    assert!(
        told("dangling").starts_with("/in/dangling is a link to nowhere, which cannot be read: No such file")
    );
    assert!(
        told("nosuch").starts_with("no nosuch.py, no executable nosuch, no nosuch.wasm in /in, and nothing")
    );
}

#[test]
fn a_program_that_the_kernel_cannot_start_is_named_with_what_would_be_right() {
    let (_keep, path) = folder(&[("tool", 0o755)]);
    let tool = path.join("tool");
    let told = |content: &[u8]| {
        fs::write(&tool, content).unwrap();
        program_fault(&tool).map(|told| told.replace(path.to_str().unwrap(), ""))
    };
    for fine in
        [&b"#!/bin/sh\necho\n"[..], b"#! /bin/sh -e\n", b"#!/bin/sh", b"\x7fELF\x02\x01\x01\0", b"MZ\0"]
    {
        assert_eq!(told(fine), None, "{fine:?}");
    }
    let crlf = told(b"#!/bin/sh\r\necho hi\r\n").unwrap();
    assert!(crlf.contains("CRLF") && crlf.ends_with("save it with LF (sed -i 's/\\r$//' /tool)"), "{crlf}");
    let none = "/tool has no first line that says what runs it, such as #!/bin/sh or #!/usr/bin/env python3";
    for text in [&b"echo hi\n"[..], b"", b"\xef\xbb\xbf#!/bin/sh\n"] {
        assert_eq!(told(text).as_deref(), Some(none));
    }
    let line = "/tool: the interpreter in its first line, #!,";
    assert_eq!(told(b"#!\n"), Some(format!("{line} names none")));
    assert_eq!(told(b"#!/etc/passwd\n"), Some(format!("{line} is /etc/passwd, which is not executable")));
    let missing = told(b"#!/usr/bin/nosuch -x\n").unwrap();
    assert!(missing.starts_with(&format!("{line} is /usr/bin/nosuch, which cannot be used: No such file")));
}
