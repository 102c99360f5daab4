//! Finding folders and files by descriptors, so that nobody can put another place under a name in between.
//!
//! A process that is root, or was until it became the owner of a folder, follows links only as far as nobody else
//! could have put them there: below the first folder that another user can change, a link is an error. Every other
//! process has only its own rights to lose and follows links as usual.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Gid, Mode, OFlags, Stat, Uid};
use rustix::io::Errno;

use crate::error::{KeyFileError, NotAFile};
use crate::inherited;

/// A name in a folder that is held open.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) folder: OwnedFd,
    pub(crate) name: OsString,
}

/// What a path is walked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goal {
    /// The last name as it is: a file to make, to replace or to move.
    Name,
    /// The last name, or where a link that may be followed leads.
    File,
    /// A folder.
    Folder,
    /// A folder; what is missing of it is made, 0700.
    NewFolder,
}

impl Place {
    /// The place of a file that is made, replaced or moved: a link there is not followed.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        Self::find(path, Goal::Name)
    }

    fn find(path: &Path, goal: Goal) -> io::Result<Self> {
        if !is_privileged() {
            let name = path.file_name().ok_or(Errno::ISDIR)?.to_owned();
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let folder = rustix::fs::open(parent.unwrap_or(Path::new(".")), FOLDER, Mode::empty())?;
            return Ok(Self { folder, name });
        }
        match walk(path, goal)? {
            (folder, Some(name)) => Ok(Self { folder, name }),
            (_, None) => Err(Errno::ISDIR.into()),
        }
    }

    /// What is there, links not followed.
    pub(crate) fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::statat(&self.folder, &self.name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Creates the file, 0600 from the first moment.
    pub(crate) fn create(&self) -> io::Result<File> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(&self.folder, &self.name, flags, Mode::RUSR | Mode::WUSR)?);
        self.give_to_owner_of_folder(&file)?;
        Ok(file)
    }

    /// Opens the file that is there, which must be a regular one and no link.
    pub(crate) fn open(&self, flags: OFlags) -> io::Result<File> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.folder, &self.name, flags, Mode::empty())?;
        regular(&rustix::fs::fstat(&file)?)?;
        Ok(File::from(file))
    }

    /// Makes what happened to the name durable.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        File::from(rustix::fs::openat(&self.folder, ".", flags, Mode::empty())?).sync_all()
    }

    /// What root makes in the folder of another user belongs to that user: a server that runs as it must get at it.
    fn give_to_owner_of_folder(&self, file: &File) -> io::Result<()> {
        if !rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let owner = rustix::fs::fstat(&self.folder)?;
        if owner.st_uid != 0 {
            rustix::fs::fchown(file, Some(Uid::from_raw(owner.st_uid)), Some(Gid::from_raw(owner.st_gid)))?;
        }
        Ok(())
    }
}

/// Opens a file to read that whoever starts a program names: a backup, a register.
///
/// # Errors
/// [`KeyFileError::Link`], [`KeyFileError::NotAFile`], [`KeyFileError::NotFound`] or [`KeyFileError::Io`].
pub fn open_named(path: &Path) -> Result<File, KeyFileError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let opened = if is_privileged() {
        Place::find(path, Goal::File).and_then(|place| place.open(flags))
    } else {
        rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from).and_then(|file| {
            regular(&rustix::fs::fstat(&file)?)?;
            Ok(File::from(file))
        })
    };
    opened.map_err(|cause| KeyFileError::io(path, "read", cause))
}

/// Creates a folder and those above it where they are missing, 0700; an existing one is left as it is.
///
/// # Errors
/// [`KeyFileError::NotAFolder`] when a file is in the way, [`KeyFileError::Link`] or [`KeyFileError::Io`].
pub fn create_private_folder(path: &Path) -> Result<(), KeyFileError> {
    let made = if is_privileged() {
        walk(path, Goal::NewFolder).map(drop)
    } else {
        use std::os::unix::fs::DirBuilderExt as _;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    };
    made.map_err(|cause| match cause.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            KeyFileError::NotAFolder { path: path.to_owned() }
        }
        _ => KeyFileError::io(path, "create", cause),
    })
}

/// Opens a folder.
pub(crate) fn open_folder(path: &Path) -> io::Result<OwnedFd> {
    if is_privileged() {
        return walk(path, Goal::Folder).map(|(folder, _)| folder);
    }
    Ok(rustix::fs::open(path, FOLDER, Mode::empty())?)
}

/// The user and the group of a folder, or of the nearest one above it that exists.
///
/// # Errors
/// [`KeyFileError::Link`] or [`KeyFileError::Io`].
pub fn owner_of(folder: &Path) -> Result<(u32, u32), KeyFileError> {
    let mut place = folder;
    loop {
        let named = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        match open_folder(named).and_then(|folder| Ok(rustix::fs::fstat(folder)?)) {
            Ok(found) => return Ok((found.st_uid, found.st_gid)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound && place.parent().is_some() => {
                place = place.parent().unwrap_or(Path::new(""));
            }
            Err(cause) => return Err(KeyFileError::io(folder, "open", cause)),
        }
    }
}

/// Makes sure that a file which somebody else opens by its path is a regular one and no link, or is missing.
///
/// # Errors
/// [`KeyFileError::Link`], [`KeyFileError::NotAFile`] or [`KeyFileError::Io`].
pub fn check_regular(path: &Path) -> Result<(), KeyFileError> {
    let found = Place::of(path).and_then(|place| place.stat());
    match found.and_then(|found| regular(&found)) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(KeyFileError::io(path, "open", cause)),
        _ => Ok(()),
    }
}

/// What an operating system says about a thing that is no regular file: `ELOOP` for a link, else this.
pub(crate) fn regular(found: &Stat) -> io::Result<()> {
    let what = match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => return Ok(()),
        FileType::Symlink => return Err(Errno::LOOP.into()),
        FileType::Directory => "folder",
        FileType::Fifo => "named pipe",
        FileType::Socket => "socket",
        _ => "device",
    };
    Err(io::Error::other(NotAFile(what)))
}

/// True for a process that has, or had, more rights than whoever owns a folder it works in.
fn is_privileged() -> bool {
    rustix::process::geteuid().is_root() || inherited::came_from_root()
}

/// Goes from folder to folder; gives the last one, and the name in it that is left.
fn walk(path: &Path, goal: Goal) -> io::Result<(OwnedFd, Option<OsString>)> {
    let (mut todo, mut links) = (VecDeque::new(), 0);
    let mut here = rustix::fs::open(start(path, &mut todo), FOLDER, Mode::empty())?;
    let mut ours = only_root_can_change(&rustix::fs::fstat(&here)?);
    while let Some(name) = todo.pop_front() {
        let is_last = todo.is_empty();
        let to_folder = !is_last || matches!(goal, Goal::Folder | Goal::NewFolder);
        if !to_folder && (goal == Goal::Name || !is_link(&here, &name)) {
            // `..` is a folder, whatever lies in this one.
            return if name == ".." { Err(Errno::ISDIR.into()) } else { Ok((here, Some(name))) };
        }
        match rustix::fs::openat(&here, &name, FOLDER | OFlags::NOFOLLOW, Mode::empty()) {
            Ok(folder) => {
                ours &= only_root_can_change(&rustix::fs::fstat(&folder)?);
                here = folder;
            }
            Err(Errno::NOENT) if goal == Goal::NewFolder => {
                match rustix::fs::mkdirat(&here, &name, Mode::RWXU) {
                    Ok(()) | Err(Errno::EXIST) => todo.push_front(name),
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Errno::NOTDIR | Errno::LOOP) if is_link(&here, &name) => {
                links += 1;
                if !ours || links > MAX_LINKS {
                    return Err(Errno::LOOP.into());
                }
                let target = rustix::fs::readlinkat(&here, &name, Vec::new())?;
                let target = PathBuf::from(OsString::from_vec(target.into_bytes()));
                if target.is_absolute() {
                    here = rustix::fs::open("/", FOLDER, Mode::empty())?;
                }
                start(&target, &mut todo);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((here, None))
}

/// Puts the names of a path before those still to go, and says from where they lead.
fn start(path: &Path, todo: &mut VecDeque<OsString>) -> &'static Path {
    for component in path.components().rev() {
        match component {
            Component::Normal(name) => todo.push_front(name.to_owned()),
            Component::ParentDir => todo.push_front(OsStr::new("..").to_owned()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    Path::new(if path.is_absolute() { "/" } else { "." })
}

fn is_link(folder: &OwnedFd, name: &OsStr) -> bool {
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::statat(folder.as_fd(), name, flags)
        .is_ok_and(|found| FileType::from_raw_mode(found.st_mode) == FileType::Symlink)
}

/// True when no user but root can put a link into the folder.
fn only_root_can_change(folder: &Stat) -> bool {
    folder.st_uid == 0 && folder.st_mode & 0o022 == 0
}

/// How a folder on the way is opened.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// As many links as the kernel follows on one path.
const MAX_LINKS: u32 = 40;
