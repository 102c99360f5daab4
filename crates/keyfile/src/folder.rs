//! Moving files out of the way, and folders for copies that live as long as a command.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::error::KeyFileError;
use crate::inherited;
use crate::place::{self, Place};

/// The names in a folder, in their order; none when it is missing.
///
/// # Errors
/// [`KeyFileError::Link`] or [`KeyFileError::Io`].
pub fn names_in(folder: &Path) -> Result<Vec<OsString>, KeyFileError> {
    use std::os::unix::ffi::OsStringExt as _;
    if let Some(given) = inherited::given(folder) {
        let names = given.as_ref().map_or("", |names| names.as_str());
        return Ok(names.split_terminator('\0').map(OsString::from).collect());
    }
    let listed = place::open_folder(folder).and_then(|folder| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let readable = rustix::fs::openat(folder, ".", flags, Mode::empty())?;
        let entries = rustix::fs::Dir::new(readable)?.map(|entry| Ok(entry?.file_name().to_bytes().to_vec()));
        entries.map(|name| name.map(OsString::from_vec)).collect::<io::Result<Vec<_>>>()
    });
    match listed {
        Ok(mut names) => {
            names.retain(|name| name != "." && name != "..");
            names.sort();
            let text =
                names.iter().filter_map(|name| Some(format!("{}\0", name.to_str()?))).collect::<String>();
            inherited::keep(folder, Some(&text.into()));
            Ok(names)
        }
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(cause) => Err(KeyFileError::io(folder, "read", cause)),
    }
}

/// The size of a file in bytes; `None` when there is none.
///
/// # Errors
/// [`KeyFileError::Link`], [`KeyFileError::NotAFile`] or [`KeyFileError::Io`].
pub fn size_of(path: &Path) -> Result<Option<u64>, KeyFileError> {
    let found = Place::of(path).and_then(|place| place.stat());
    match found.and_then(|found| place::regular(&found).map(|()| found.st_size)) {
        Ok(size) => Ok(Some(u64::try_from(size).unwrap_or_default())),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(KeyFileError::io(path, "open", cause)),
    }
}

/// Removes a file; a link there is removed itself.
///
/// # Errors
/// [`KeyFileError::NotFound`], [`KeyFileError::Link`] or [`KeyFileError::Io`].
pub fn remove(path: &Path) -> Result<(), KeyFileError> {
    let removed = Place::of(path)
        .and_then(|place| Ok(rustix::fs::unlinkat(&place.folder, &place.name, AtFlags::empty())?));
    removed.map_err(|cause| KeyFileError::io(path, "remove", cause))
}

/// Moves files into a folder, 0700, that did not exist; the folder's file system may be another.
///
/// # Errors
/// [`KeyFileError::Exists`] for the folder, [`KeyFileError::Link`], [`KeyFileError::NotAFile`] or
/// [`KeyFileError::Io`] with the file that was not moved; those before it were.
pub fn set_aside(files: &[PathBuf], folder: &Path) -> Result<(), KeyFileError> {
    let failed = |cause| KeyFileError::io(folder, "create", cause);
    let place = Place::of(folder).map_err(failed)?;
    rustix::fs::mkdirat(&place.folder, &place.name, Mode::RWXU).map_err(|error| failed(error.into()))?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let to = rustix::fs::openat(&place.folder, &place.name, flags, Mode::empty())
        .map_err(|error| failed(error.into()))?;
    for path in files {
        let moved = Place::of(path).and_then(|from| {
            place::regular(&from.stat()?)?;
            let to = Place { folder: to.try_clone()?, name: from.name.clone() };
            move_file(&from, &to)
        });
        moved.map_err(|cause| KeyFileError::io(path, "move", cause))?;
    }
    place.sync().map_err(failed)
}

/// Renames, or copies where the two lie on different file systems.
fn move_file(from: &Place, to: &Place) -> io::Result<()> {
    match rustix::fs::renameat(&from.folder, &from.name, &to.folder, &to.name) {
        Err(Errno::XDEV) => {
            let mut copy = to.create()?;
            io::copy(&mut from.open(OFlags::RDONLY)?, &mut copy)?;
            copy.sync_all()?;
            Ok(rustix::fs::unlinkat(&from.folder, &from.name, AtFlags::empty())?)
        }
        renamed => Ok(renamed?),
    }
}

/// A folder of its own, 0700, for copies of private files; removed with what is in it when dropped.
#[derive(Debug)]
pub struct PrivateFolder(PathBuf);

impl PrivateFolder {
    /// Makes it beside a file.
    ///
    /// # Errors
    /// [`KeyFileError::NotFound`], [`KeyFileError::Link`] or [`KeyFileError::Io`].
    pub fn beside(file: &Path) -> Result<Self, KeyFileError> {
        let failed = |cause| KeyFileError::io(file, "make a folder beside", cause);
        let place = Place::of(file).map_err(failed)?;
        loop {
            let name = place.temporary_name();
            match rustix::fs::mkdirat(&place.folder, &name, Mode::RWXU) {
                // Left behind by a process that was killed.
                Err(Errno::EXIST) => {}
                made => {
                    return made
                        .map(|()| Self(file.with_file_name(name)))
                        .map_err(|error| failed(error.into()));
                }
            }
        }
    }

    /// The path of a file in it.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        // What cannot be removed is private, and nothing reads it.
        let _stays = std::fs::remove_dir_all(&self.0);
    }
}
