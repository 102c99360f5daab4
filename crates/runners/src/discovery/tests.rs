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
    assert!(matches!(find(&[path], "notes"), Err(NotFound::Nowhere(..))));
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
    assert!(matches!(find(&folders, "link"), Err(NotFound::Nowhere(..))));
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
