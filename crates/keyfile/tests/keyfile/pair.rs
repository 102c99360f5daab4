use std::fs;

use msp_keyfile::{ServerKeys, create_server_keys, pair_paths, server_keys, write_pair};

use crate::{folder, message, mode, names, new_key};

#[test]
fn share_point_22_a_pair_is_two_files_of_44_characters_0600_that_fit() {
    let folder = folder();
    let key = new_key();
    let stem = folder.path().join("my.laptop");
    write_pair(&stem, &key, false).unwrap();
    assert_eq!(names(folder.path()), ["my.laptop.key", "my.laptop.pub"]);
    let (private, public) = pair_paths(&stem);
    for path in [&private, &public] {
        assert_eq!(fs::read(path).unwrap().len(), 44);
        assert_eq!(mode(path), 0o600);
    }
    assert_eq!(msp_keyfile::read_private_key(&private).unwrap().public(), key.public());
    assert_eq!(msp_keyfile::read_public_key(&public).unwrap(), *key.public());
}

#[test]
fn an_existing_private_half_is_replaced_only_by_force() {
    let folder = folder();
    let stem = folder.path().join("a");
    let (old, new) = (new_key(), new_key());
    write_pair(&stem, &old, false).unwrap();
    let refused = write_pair(&stem, &new, false).unwrap_err();
    insta::assert_snapshot!(message(&refused, &folder),
        @"/sec/a.key exists already and is kept; move it away, or choose another name");
    let (private, public) = pair_paths(&stem);
    assert_eq!(msp_keyfile::read_public_key(&public).unwrap(), *old.public());
    write_pair(&stem, &new, true).unwrap();
    assert_eq!(msp_keyfile::read_private_key(&private).unwrap().public(), new.public());
    assert_eq!(msp_keyfile::read_public_key(&public).unwrap(), *new.public());
}

#[test]
fn share_point_17_no_server_key_at_all_is_missing_and_one_can_be_made() {
    let folder = folder();
    let sec = folder.path().join("deep/sec");
    assert!(matches!(server_keys(&sec), Ok(ServerKeys::Missing)));
    let key = new_key();
    create_server_keys(&sec, &key).unwrap();
    assert_eq!(mode(&sec), 0o700);
    assert_eq!(names(&sec), ["server.key", "server.pub"]);
    let ServerKeys::Found(found) = server_keys(&sec).unwrap() else { panic!("the pair was just made") };
    assert_eq!(found.public(), key.public());
    assert!(create_server_keys(&sec, &new_key()).is_err(), "a server key is never replaced");
}

#[test]
fn a_missing_public_half_is_rebuilt_from_the_private_one() {
    let folder = folder();
    let key = new_key();
    create_server_keys(folder.path(), &key).unwrap();
    let public = folder.path().join("server.pub");
    fs::remove_file(&public).unwrap();
    assert!(matches!(server_keys(folder.path()), Ok(ServerKeys::Found(_))));
    assert_eq!(fs::read_to_string(&public).unwrap(), key.public().to_string());
    assert_eq!(mode(&public), 0o600);
}

#[test]
fn share_point_17_half_a_pair_or_two_halves_that_do_not_fit_are_errors() {
    let folder = folder();
    create_server_keys(folder.path(), &new_key()).unwrap();
    let (private, public) = (folder.path().join("server.key"), folder.path().join("server.pub"));

    fs::write(&public, new_key().public().to_string()).unwrap();
    insta::assert_snapshot!(message(&server_keys(folder.path()).unwrap_err(), &folder),
        @"/sec/server.pub does not belong to /sec/server.key; put the right private half back, or remove the public one to have it rebuilt");

    fs::write(&public, "rubbish").unwrap();
    insta::assert_snapshot!(message(&server_keys(folder.path()).unwrap_err(), &folder),
        @"/sec/server.pub: not a public key: not base64 (44 characters, standard alphabet, with padding); put the right file there, or make a new pair with gen_key");

    fs::remove_file(&private).unwrap();
    insta::assert_snapshot!(message(&server_keys(folder.path()).unwrap_err(), &folder),
        @"/sec/server.key is missing but /sec/server.pub exists; restore the private half from a backup, or move the public one away to have a new pair made (every client then needs the new public key)");

    fs::remove_file(&public).unwrap();
    fs::write(&private, "AAAA").unwrap();
    insta::assert_snapshot!(message(&server_keys(folder.path()).unwrap_err(), &folder),
        @"/sec/server.key: not a private key: 3 bytes instead of 32; put the right file there, or make a new pair with gen_key");
    assert_eq!(names(folder.path()), ["server.key"], "no public half is made from a bad private one");
}
