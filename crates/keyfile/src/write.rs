//! Writing private files: 0600 in the call that makes them, and whole or not at all.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{CWD, Gid, Mode, OFlags, RenameFlags, Uid};
use rustix::io::Errno;

use crate::error::KeyFileError;

/// Creates a file that did not exist, 0600 from the first moment, open for reading and writing.
///
/// # Errors
/// [`KeyFileError::Exists`] (a symbolic link counts as a file), [`KeyFileError::NotFound`] when the folder is
/// missing, or [`KeyFileError::Io`].
pub fn create_private(path: &Path) -> Result<File, KeyFileError> {
    create(path).map_err(|cause| KeyFileError::io(path, "create", cause))
}

/// Opens a file to lock, which holds nothing, and creates it 0600 where it is missing.
///
/// # Errors
/// [`KeyFileError::NotFound`] when the folder is missing, or [`KeyFileError::Io`].
pub fn open_lock(path: &Path) -> Result<File, KeyFileError> {
    let failed = |cause| KeyFileError::io(path, "open", cause);
    match create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            rustix::fs::open(path, flags, Mode::empty()).map(File::from).map_err(|error| failed(error.into()))
        }
        created => created.map_err(failed),
    }
}

/// Creates a folder and those above it where they are missing, 0700; an existing one is left as it is.
///
/// # Errors
/// [`KeyFileError::Exists`] when a file is in the way, or [`KeyFileError::Io`].
pub fn create_private_folder(path: &Path) -> Result<(), KeyFileError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|cause| KeyFileError::io(path, "create", cause))
}

/// Writes a new file, 0600 and on the disk when this returns; never overwrites, and leaves nothing when it fails.
///
/// # Errors
/// [`KeyFileError::Exists`], [`KeyFileError::NotFound`] when the folder is missing, or [`KeyFileError::Io`].
pub fn write_new(path: &Path, contents: &[u8]) -> Result<(), KeyFileError> {
    // A kind answer before any work; the move below decides.
    if path.symlink_metadata().is_ok() {
        return Err(KeyFileError::Exists { path: path.to_owned() });
    }
    write(path, contents, |temporary| move_new(temporary, path))
}

/// Writes a file, 0600, in place of the one that may exist: readers see the old content or the new one, whole.
///
/// # Errors
/// [`KeyFileError::NotFound`] when the folder is missing, or [`KeyFileError::Io`]; the old file is then unchanged.
pub fn replace(path: &Path, contents: &[u8]) -> Result<(), KeyFileError> {
    write(path, contents, |temporary| std::fs::rename(temporary, path))
}

/// Writes a temporary file beside `path`, then lets `publish` give it its name.
fn write(
    path: &Path,
    contents: &[u8],
    publish: impl FnOnce(&Path) -> io::Result<()>,
) -> Result<(), KeyFileError> {
    let failed = |cause| KeyFileError::io(path, "write", cause);
    let (temporary, mut file) = create_beside(path).map_err(failed)?;
    let written = file.write_all(contents).and_then(|()| file.sync_all()).and_then(|()| publish(&temporary));
    if let Err(cause) = written {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
        return Err(failed(cause));
    }
    sync_folder(path).map_err(failed)
}

/// Creates a temporary file in the folder of `path`; a name left behind by a killed process is stepped over.
fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let name = path.file_name().ok_or(Errno::ISDIR)?.to_string_lossy();
    loop {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".{name}.{}-{number}", std::process::id()));
        match create(&temporary) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            created => return created.map(|file| (temporary, file)),
        }
    }
}

fn create(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?);
    give_to_owner_of_folder(path, &file)?;
    Ok(file)
}

/// What root makes in the folder of another user belongs to that user: a server that runs as it must get at the file.
fn give_to_owner_of_folder(path: &Path, file: &File) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let owner = rustix::fs::stat(folder)?;
    if owner.st_uid != 0 {
        rustix::fs::fchown(file, Some(Uid::from_raw(owner.st_uid)), Some(Gid::from_raw(owner.st_gid)))?;
    }
    Ok(())
}

/// Gives the file its name unless something has it already.
fn move_new(temporary: &Path, path: &Path) -> io::Result<()> {
    match rustix::fs::renameat_with(CWD, temporary, CWD, path, RenameFlags::NOREPLACE) {
        // Network file systems know no RENAME_NOREPLACE; a hard link never replaces either.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            std::fs::hard_link(temporary, path)?;
            std::fs::remove_file(temporary)
        }
        moved => Ok(moved?),
    }
}

/// Makes the new name itself durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
