#![allow(clippy::disallowed_methods, reason = "tests")]

use std::os::unix::fs::PermissionsExt as _;

use msp_protocol::OsRng;

use super::*;

fn profile() -> Profile {
    Profile {
        url: "http://host:8000/v1/".into(),
        server: *PrivateKey::generate(&mut OsRng).public(),
        key: PrivateKey::generate(&mut OsRng),
        secret: Secret::generate(&mut OsRng),
        cafile: None,
    }
}

fn profiles(name: &str) -> Profiles {
    let name: ClientName = name.parse().unwrap();
    Profiles { default: Some(name.clone()), profiles: [(name, profile())].into() }
}

#[test]
fn what_is_written_is_read_again_and_private_from_folder_to_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/msp/client.toml");
    let written = profiles("home");

    written.write(&path).unwrap();
    let read = Profiles::read(&path).unwrap();

    let (before, after) = (written.chosen(&path).unwrap().unwrap(), read.chosen(&path).unwrap().unwrap());
    assert_eq!(after.url, before.url);
    assert_eq!(after.server, before.server);
    assert_eq!(after.key.dangerously_as_bytes(), before.key.dangerously_as_bytes());
    assert_eq!(after.secret.digest(), before.secret.digest());
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_missing_file_holds_no_profiles() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.toml");

    let profiles = Profiles::read(&path).unwrap();

    assert!(profiles.chosen(&path).unwrap().is_none());
    assert!(profiles.named(&"home".parse().unwrap(), &path).is_err());
}

#[test]
fn a_broken_file_is_named_with_its_line_and_without_what_stands_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.toml");
    let secret = "0123456789abcdef".repeat(7);
    std::fs::write(&path, format!("default = \"home\"\n[profiles.home]\nsecret = \"{secret}\"\n")).unwrap();

    let error = Profiles::read(&path).unwrap_err().to_string();

    assert!(error.starts_with(&format!("{}: line 3: not a client secret", path.display())), "{error}");
    assert!(!error.contains("0123456789"), "{error}");
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn an_unknown_key_in_the_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("client.toml");
    std::fs::write(&path, "defualt = \"home\"\n").unwrap();

    let error = Profiles::read(&path).unwrap_err().to_string();

    assert!(error.contains("line 1: unknown field `defualt`"), "{error}");
}

#[test]
fn profiles_are_under_xdg_config_home_else_under_home() {
    for (xdg, home, expected) in [
        (Some("/xdg"), Some("/home/me"), Some("/xdg/msp/client.toml")),
        (None, Some("/home/me"), Some("/home/me/.config/msp/client.toml")),
        (Some(""), Some("/home/me"), Some("/home/me/.config/msp/client.toml")),
        (Some("relative"), Some("/home/me"), Some("/home/me/.config/msp/client.toml")),
        (None, None, None),
    ] {
        let variable = |name: &str| if name == "HOME" { home.map(Into::into) } else { xdg.map(Into::into) };

        assert_eq!(path(variable), expected.map(PathBuf::from), "{xdg:?} {home:?}");
    }
}
