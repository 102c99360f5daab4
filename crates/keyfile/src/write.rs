//! Writing private files: 0600 in the call that makes them, and whole or not at all.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{AtFlags, OFlags, RenameFlags};
use rustix::io::Errno;

use crate::error::KeyFileError;
use crate::place::Place;

/// Creates a file that did not exist, 0600 from the first moment, open for reading and writing.
///
/// # Errors
/// [`KeyFileError::Exists`] (a symbolic link counts as a file), [`KeyFileError::NotFound`] when the folder is
/// missing, [`KeyFileError::Link`] or [`KeyFileError::Io`].
pub fn create_private(path: &Path) -> Result<File, KeyFileError> {
    let created = Place::of(path).and_then(|place| place.create());
    created.map_err(|cause| KeyFileError::io(path, "create", cause))
}

/// Opens a file to lock, which holds nothing, and creates it 0600 where it is missing.
///
/// # Errors
/// [`KeyFileError::NotFound`] when the folder is missing, [`KeyFileError::Link`], [`KeyFileError::NotAFile`] or
/// [`KeyFileError::Io`].
pub fn open_lock(path: &Path) -> Result<File, KeyFileError> {
    let opened = Place::of(path).and_then(|place| match place.create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => place.open(OFlags::RDWR),
        created => created,
    });
    opened.map_err(|cause| KeyFileError::io(path, "open", cause))
}

/// Writes a new file, 0600 and on the disk when this returns; never overwrites, and leaves nothing when it fails.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::NotFound`] when the folder is missing, [`KeyFileError::Link`] or
/// [`KeyFileError::Io`].
pub fn write_new(path: &Path, contents: &[u8]) -> Result<(), KeyFileError> {
    let written = Place::of(path).and_then(|place| {
        // A kind answer before any work; the move below decides.
        if place.stat().is_ok() {
            return Err(Errno::EXIST.into());
        }
        write(&place, contents, |temporary| move_new(&place, temporary))
    });
    written.map_err(|cause| KeyFileError::io(path, "write", cause))
}

/// Writes a file, 0600, in place of the one that may exist: readers see the old content or the new one, whole.
///
/// # Errors
/// [`KeyFileError::NotFound`] when the folder is missing, [`KeyFileError::Link`] or [`KeyFileError::Io`]; the old
/// file is then unchanged.
pub fn replace(path: &Path, contents: &[u8]) -> Result<(), KeyFileError> {
    let written = Place::of(path).and_then(|place| {
        let Place { folder, name } = &place;
        write(&place, contents, |temporary| Ok(rustix::fs::renameat(folder, temporary, folder, name)?))
    });
    written.map_err(|cause| KeyFileError::io(path, "write", cause))
}

/// Writes a temporary file beside the place, then lets `publish` give it its name.
fn write(
    place: &Place,
    contents: &[u8],
    publish: impl FnOnce(&OsString) -> io::Result<()>,
) -> io::Result<()> {
    let (temporary, mut file) = create_beside(place)?;
    let written =
        file.write_all(contents).and_then(|()| file.sync_all()).and_then(|()| publish(&temporary.name));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = rustix::fs::unlinkat(&place.folder, &temporary.name, AtFlags::empty());
        return written;
    }
    place.sync()
}

/// Creates a temporary file in the folder of the place; a name left behind by a killed process is stepped over.
fn create_beside(place: &Place) -> io::Result<(Place, File)> {
    loop {
        let temporary = Place { folder: place.folder.try_clone()?, name: place.temporary_name() };
        match temporary.create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (temporary, file)),
        }
    }
}

impl Place {
    /// A name beside this one that nothing else of this process takes.
    pub(crate) fn temporary_name(&self) -> OsString {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        format!(".{}.{}-{number}", self.name.to_string_lossy(), std::process::id()).into()
    }
}

/// Gives the file its name unless something has it already.
fn move_new(place: &Place, temporary: &OsString) -> io::Result<()> {
    let Place { folder, name } = place;
    match rustix::fs::renameat_with(folder, temporary, folder, name, RenameFlags::NOREPLACE) {
        // Network file systems know no RENAME_NOREPLACE; a hard link never replaces either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            rustix::fs::linkat(folder, temporary, folder, name, AtFlags::empty())?;
            Ok(rustix::fs::unlinkat(folder, temporary, AtFlags::empty())?)
        }
        moved => Ok(moved?),
    }
}
