use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use msp_keyfile::{is_private, read_private_key, read_public_key, read_secret, read_text};
use msp_protocol::{OsRng, Secret};

use crate::{folder, message, new_key};

#[test]
fn only_the_first_line_of_a_key_file_counts_and_it_is_trimmed() {
    let folder = folder();
    let key = new_key();
    let path = folder.path().join("k");
    fs::write(&path, format!("  {}\r\nanything\n", key.public())).unwrap();
    assert_eq!(read_public_key(&path).unwrap(), *key.public());
    fs::write(&path, format!("{}\n", *key.dangerously_to_base64())).unwrap();
    assert_eq!(read_private_key(&path).unwrap().public(), key.public());
}

#[test]
fn white_space_around_a_secret_is_ignored() {
    let folder = folder();
    let secret = Secret::generate(&mut OsRng);
    let path = folder.path().join("client.secret");
    fs::write(&path, format!("\n {}\r\n", secret.dangerously_as_str())).unwrap();
    assert_eq!(read_secret(&path).unwrap().digest(), secret.digest());
}

#[test]
fn every_refusal_names_the_file_and_a_next_step() {
    let folder = folder();
    let path = folder.path().join("x.key");
    insta::assert_snapshot!(message(&read_private_key(&path).unwrap_err(), &folder),
        @"/sec/x.key does not exist; check the path");
    fs::write(&path, [0xff, 0xfe]).unwrap();
    insta::assert_snapshot!(message(&read_private_key(&path).unwrap_err(), &folder),
        @"/sec/x.key: not a text file; check the path");
    fs::write(&path, "").unwrap();
    insta::assert_snapshot!(message(&read_private_key(&path).unwrap_err(), &folder),
        @"/sec/x.key: not a private key: 0 bytes instead of 32; put the right file there, or make a new pair with gen_key");
    fs::write(&path, "A".repeat(43) + "=").unwrap();
    insta::assert_snapshot!(message(&read_public_key(&path).unwrap_err(), &folder),
        @"/sec/x.key: not a public key: a point of low order, which protects nothing; put the right file there, or make a new pair with gen_key");
    insta::assert_snapshot!(message(&read_secret(&path).unwrap_err(), &folder),
        @"/sec/x.key: not a client secret (128 lower-case hex digits); copy the secret again, as appendclient printed it");
    insta::assert_snapshot!(message(&read_text(&path, 43).unwrap_err(), &folder),
        @"/sec/x.key: more than 43 bytes; check the path");
    insta::assert_snapshot!(message(&read_text(folder.path(), 43).unwrap_err(), &folder),
        @"cannot read /sec: Is a directory (os error 21); check the path, its owner and its permissions");
    assert_eq!(read_text(&path, 44).unwrap().len(), 44);
}

#[test]
fn a_file_that_others_may_read_is_not_private() {
    let folder = folder();
    let path = folder.path().join("server.key");
    assert!(!is_private(&path));
    fs::write(&path, "").unwrap();
    for (mode, private) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        assert_eq!(is_private(&path), private, "{mode:o}");
    }
}
