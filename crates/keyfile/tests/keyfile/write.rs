use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use msp_keyfile::{KeyFileError, create_private, create_private_folder, open_lock, replace, write_new};

use crate::{folder, message, mode, names};

#[test]
fn a_new_file_is_0600_from_the_call_that_makes_it_and_never_replaces_one() {
    let folder = folder();
    let path = folder.path().join("registry.db");
    let mut file = create_private(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    file.write_all(b"x").unwrap();
    assert!(matches!(create_private(&path), Err(KeyFileError::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"x");
}

#[test]
fn a_link_is_never_followed() {
    let folder = folder();
    let (link, target) = (folder.path().join("link"), folder.path().join("target"));
    symlink(&target, &link).unwrap();
    assert!(matches!(create_private(&link), Err(KeyFileError::Exists { .. })));
    assert!(matches!(write_new(&link, b"x"), Err(KeyFileError::Exists { .. })));
    assert!(!target.exists());
}

#[test]
fn write_new_never_overwrites_and_leaves_nothing_else_behind() {
    let folder = folder();
    let path = folder.path().join("a.key");
    write_new(&path, b"first").unwrap();
    let refused = write_new(&path, b"second").unwrap_err();
    insta::assert_snapshot!(message(&refused, &folder),
        @"/sec/a.key exists already and is kept; move it away, or choose another name");
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(folder.path()), ["a.key"]);
}

#[test]
fn of_writers_at_the_same_time_one_wins_and_its_content_is_whole() {
    let folder = folder();
    let path = folder.path().join("a.key");
    let won = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8_u8)
            .map(|number| {
                let path = &path;
                scope.spawn(move || write_new(path, &[number; 1000]).is_ok().then_some(number))
            })
            .collect();
        writers.into_iter().filter_map(|writer| writer.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(won.len(), 1);
    assert_eq!(fs::read(&path).unwrap(), [won[0]; 1000]);
    assert_eq!(names(folder.path()), ["a.key"]);
}

#[test]
fn a_failed_run_leaves_no_file() {
    let folder = folder();
    let missing = folder.path().join("no/a.key");
    insta::assert_snapshot!(message(&write_new(&missing, b"x").unwrap_err(), &folder),
        @"/sec/no/a.key does not exist; check the path");
    let taken = folder.path().join("taken");
    fs::create_dir(&taken).unwrap();
    insta::assert_snapshot!(message(&replace(&taken, b"x").unwrap_err(), &folder),
        @"cannot write /sec/taken: Is a directory (os error 21); check the path, its owner and its permissions");
    assert_eq!(names(folder.path()), ["taken"]);
}

#[test]
fn replace_swaps_the_content_and_closes_the_permissions() {
    let folder = folder();
    let path = folder.path().join("profile.toml");
    fs::write(&path, "old and readable by all").unwrap();
    replace(&path, b"new").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(names(folder.path()), ["profile.toml"]);
}

#[test]
fn an_existing_folder_is_left_as_it_is_and_a_file_in_its_place_is_told() {
    let folder = folder();
    create_private_folder(&folder.path().join("sec")).unwrap();
    create_private_folder(&folder.path().join("sec")).unwrap();
    assert_eq!(mode(&folder.path().join("sec")), 0o700);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(create_private_folder(&file), Err(KeyFileError::NotAFolder { .. })));
}

#[test]
fn a_file_belongs_to_the_owner_of_its_folder_even_when_root_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(folder.path(), Some(12_345), Some(12_346)).unwrap();
    }
    let owner = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.uid(), metadata.gid())
    };

    write_new(&folder.path().join("a"), b"x").unwrap();
    create_private(&folder.path().join("b")).unwrap();
    open_lock(&folder.path().join("c")).unwrap().lock().unwrap();
    open_lock(&folder.path().join("c")).unwrap();

    for name in ["a", "b", "c"] {
        assert_eq!(owner(&folder.path().join(name)), owner(folder.path()), "{name}");
    }
}
