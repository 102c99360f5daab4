//! Links, pipes and folders of other users.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::Path;

use msp_keyfile::{
    KeyFileError, PrivateFolder, check_regular, create_private, create_private_folder, names_in, open_lock,
    open_named, owner_of, read_text, replace, set_aside, size_of, write_new,
};

use crate::{folder, message, mode, names};

fn pipe(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    assert!(mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).is_ok());
}

#[test]
fn a_named_pipe_is_no_file_and_nobody_waits_for_it() {
    let folder = folder();
    let path = folder.path().join("server.key");
    pipe(&path);
    for refused in [
        read_text(&path, 100).map(drop),
        open_named(&path).map(drop),
        open_lock(&path).map(drop),
        check_regular(&path),
    ] {
        insta::allow_duplicates! {
            insta::assert_snapshot!(message(&refused.unwrap_err(), &folder),
                @"/sec/server.key is a named pipe, not a file; move it away, or check the path");
        }
    }
}

#[test]
fn a_pipe_without_a_name_is_read_as_a_shell_gives_it() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, b"text").unwrap();
    drop(writer);
    let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    assert_eq!(read_text(Path::new(&path), 100).unwrap().as_str(), "text");
}

#[test]
fn files_are_set_aside_with_their_names_and_links_are_not() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    for name in ["client_1.pub", "client_2.pub"] {
        fs::write(path(name), name).unwrap();
    }
    set_aside(&[path("client_1.pub")], &path("purged")).unwrap();
    assert_eq!(fs::read(path("purged/client_1.pub")).unwrap(), b"client_1.pub");
    assert_eq!(mode(&path("purged")), 0o700);
    assert!(matches!(set_aside(&[], &path("purged")), Err(KeyFileError::Exists { .. })));
    symlink(path("client_2.pub"), path("clients.dev")).unwrap();
    let refused = set_aside(&[path("clients.dev")], &path("again"));
    assert!(matches!(refused, Err(KeyFileError::Link { .. })), "{refused:?}");
    assert!(matches!(size_of(&path("clients.dev")), Err(KeyFileError::Link { .. })));
    assert_eq!((size_of(&path("client_2.pub")).unwrap(), size_of(&path("none")).unwrap()), (Some(12), None));
    assert_eq!(names_in(folder.path()).unwrap(), ["again", "client_2.pub", "clients.dev", "purged"]);
    assert!(names_in(&path("none")).unwrap().is_empty());
}

#[test]
fn a_folder_for_copies_goes_with_what_is_in_it() {
    let folder = folder();
    let copies = PrivateFolder::beside(&folder.path().join("registry.db")).unwrap();
    create_private(&copies.path("copy")).unwrap();
    assert_eq!(mode(copies.path("copy").parent().unwrap()), 0o700);
    drop(copies);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn as_root_a_link_in_a_folder_that_another_user_can_change_is_not_followed() {
    assert!(rustix::process::geteuid().is_root(), "only root has rights to lose: run it as root");
    let folder = tempfile::tempdir_in("/var/lib").unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["roots", "users", "users/inner"] {
        create_private_folder(&path(name)).unwrap();
    }
    for name in ["users", "users/inner"] {
        chown(path(name), Some(54_321), Some(54_321)).unwrap();
    }
    symlink("users/inner", path("good")).unwrap();
    symlink("../roots", path("users/bad")).unwrap();
    symlink(path("roots"), path("users/inner/bad")).unwrap();

    write_new(&path("good/../inner/a"), b"x").unwrap();
    assert_eq!(owner_of(&path("good")).unwrap(), (54_321, 54_321));
    assert_eq!(owner_of(&path("users/none/none")).unwrap(), (54_321, 54_321));
    fs::write(path("roots/mine"), "mine").unwrap();
    for bad in ["users/bad/a", "users/inner/bad/a", "good/bad/a", "users/inner/../bad/a"].map(path) {
        let refusals = [
            write_new(&bad, b"x"),
            replace(&bad, b"x"),
            create_private(&bad).map(drop),
            open_lock(&bad).map(drop),
            create_private_folder(&bad),
            open_named(&bad.with_file_name("mine")).map(drop),
            names_in(bad.parent().unwrap()).map(drop),
            set_aside(&[], &bad),
            owner_of(&bad).map(drop),
        ];
        for (number, refused) in refusals.into_iter().enumerate() {
            assert!(
                matches!(refused, Err(KeyFileError::Link { .. })),
                "{}: {number}: {refused:?}",
                bad.display()
            );
        }
    }
    assert_eq!(names(&path("roots")), ["mine"]);
}
