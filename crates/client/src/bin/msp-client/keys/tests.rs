#![allow(clippy::disallowed_methods, reason = "tests")]

use std::fs;

use msp_protocol::{OsRng, PrivateKey, PublicKey, Secret};
use tempfile::TempDir;

use super::*;

/// A folder that may hold the three files, and a profile file beside it.
struct Home {
    folder: TempDir,
    profiles: std::path::PathBuf,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let profiles = folder.path().join("config/client.toml");
        Self { folder, profiles }
    }

    fn with_files(self) -> Self {
        let write = |name: &str, text: &str| fs::write(self.folder.path().join(name), text).unwrap();
        write("client.secret", &format!("{}\n", Secret::generate(&mut OsRng).dangerously_as_str()));
        write("client.key", &PrivateKey::generate(&mut OsRng).dangerously_to_base64());
        write("server.pub", &PrivateKey::generate(&mut OsRng).public().to_string());
        self
    }

    fn with_profiles(self, default: Option<&str>, names: &[&str]) -> Self {
        let profiles = names.iter().map(|name| (name.parse().unwrap(), profile(name))).collect();
        let default = default.map(|name| name.parse().unwrap());
        Profiles { default, profiles }.write(&self.profiles).unwrap();
        self
    }

    fn choose(&self, named: Option<&str>) -> Result<Identity, CliError> {
        choose(named, self.folder.path(), Some(&self.profiles))
    }
}

fn profile(name: &str) -> Profile {
    Profile {
        url: format!("http://{name}/v1/"),
        server: server_key(),
        key: PrivateKey::generate(&mut OsRng),
        secret: Secret::generate(&mut OsRng),
        cafile: None,
    }
}

fn server_key() -> PublicKey {
    *PrivateKey::generate(&mut OsRng).public()
}

#[test]
fn a_named_profile_comes_before_the_files_and_the_files_before_the_default_profile() {
    let home = Home::new().with_files().with_profiles(Some("home"), &["home", "work"]);

    assert_eq!(home.choose(Some("work")).unwrap().url.as_deref(), Some("http://work/v1/"));
    assert_eq!(home.choose(None).unwrap().url, None);

    // Without its server's key the private key in the folder is no other client's.
    fs::remove_file(home.folder.path().join("server.pub")).unwrap();
    assert!(matches!(home.choose(None), Err(CliError::Incomplete { .. })));
    fs::remove_file(home.folder.path().join("client.key")).unwrap();
    assert_eq!(home.choose(None).unwrap().url.as_deref(), Some("http://home/v1/"));
}

#[test]
fn the_files_serve_without_a_place_for_profiles() {
    let home = Home::new().with_files();

    assert!(choose(None, home.folder.path(), None).is_ok());
}

#[test]
fn a_broken_file_is_an_error_even_when_there_is_a_default_profile() {
    let home = Home::new().with_files().with_profiles(Some("home"), &["home"]);
    fs::write(home.folder.path().join("client.key"), "rubbish").unwrap();

    let error = home.choose(None).unwrap_err().to_string();

    assert!(error.contains("client.key: not a private key"), "{error}");
}

#[test]
fn a_server_key_of_low_order_is_refused() {
    let home = Home::new().with_files();
    fs::write(home.folder.path().join("server.pub"), "A".repeat(43) + "=").unwrap();

    let error = home.choose(None).unwrap_err().to_string();

    assert!(error.contains("a point of low order"), "{error}");
}

#[test]
fn without_keys_the_missing_files_and_the_profile_file_are_named() {
    let home = Home::new().with_files();
    fs::remove_file(home.folder.path().join("client.key")).unwrap();

    let error = home.choose(None).unwrap_err().to_string();

    let expected = format!(
        "no keys: client.key not in this folder, and no default profile in {}",
        home.profiles.display()
    );
    assert!(error.starts_with(&expected), "{error}");
}

#[test]
fn an_unknown_profile_is_an_error_that_names_the_known_ones() {
    let home = Home::new().with_profiles(Some("home"), &["home", "work"]);

    let error = home.choose(Some("wrok")).unwrap_err().to_string();

    assert!(error.ends_with("no profile wrok; there is home, work"), "{error}");
    assert!(matches!(home.choose(Some("a b")), Err(CliError::Usage(_))));
}

#[test]
fn a_default_that_names_no_profile_is_an_error() {
    let home = Home::new().with_profiles(Some("gone"), &["home"]);

    assert!(matches!(home.choose(None), Err(CliError::ProfileFile { .. })));
}

#[test]
fn the_url_of_the_command_line_comes_before_the_profiles() {
    let home = Home::new().with_files().with_profiles(None, &["home"]);
    let given = || Some("http://given".to_owned());

    assert_eq!(home.choose(Some("home")).unwrap().url(given()).unwrap(), "http://given");
    assert_eq!(home.choose(Some("home")).unwrap().url(None).unwrap(), "http://home/v1/");
    assert!(matches!(home.choose(None).unwrap().url(None), Err(CliError::Usage(_))));
}
