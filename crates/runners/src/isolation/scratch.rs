//! The private folder of each process: its home and the place for its temporary files.

use std::ffi::OsString;
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, fstat, open, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::user::WorkerUser;

/// A folder itself, never what a link leads to, only to work in it.
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// To list a folder that is open already.
const LIST: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The folder that holds all of them, made for the first function that runs in a process. Another user may pass through
/// it, and not list it.
#[derive(Debug)]
pub(super) struct Scratch {
    path: PathBuf,
    folder: OnceLock<OwnedFd>,
    user: Option<WorkerUser>,
    number: AtomicU64,
}

impl Scratch {
    /// Takes the folder into use; what a killed server has left in it is removed.
    pub(super) fn claim(path: PathBuf, user: Option<WorkerUser>) -> io::Result<Arc<Self>> {
        let folder = open_own(&path)?;
        let mut left = names(&folder)?;
        // Long names first: they are in the way of what is moved beside shorter ones.
        left.sort_unstable_by_key(|name| std::cmp::Reverse(name.len()));
        for name in left {
            // What cannot be removed is in nobody's way.
            let _stays = remove(&folder, &name);
        }
        let path = path.canonicalize()?;
        // A server that runs no process leaves none, however it ends.
        let _something_stays = std::fs::remove_dir(&path);
        Ok(Arc::new(Self { path, folder: OnceLock::new(), user, number: AtomicU64::new(0) }))
    }

    /// Makes the folder, so that no other user can take its name.
    pub(super) fn create_folder(&self) -> io::Result<()> {
        self.opened().map(drop)
    }

    fn opened(&self) -> io::Result<&OwnedFd> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder);
        }
        let folder = open_own(&self.path)?;
        Ok(self.folder.get_or_init(|| folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a new private folder.
    pub(super) fn folder(self: &Arc<Self>) -> io::Result<PrivateFolder> {
        self.opened()?;
        let name = self.number.fetch_add(1, Ordering::Relaxed).to_string();
        let path = self.path.join(&name);
        DirBuilder::new().mode(0o700).create(&path)?;
        let made = PrivateFolder { path, name: name.into(), all: self.clone() };
        if let Some(user) = self.user {
            user.chown(&made.path)?;
        }
        Ok(made)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Fails when something is left in it, which the next start removes.
        let _left = std::fs::remove_dir(&self.path);
    }
}

/// Opens the folder, which is ours, and makes it when it is not there.
fn open_own(path: &Path) -> io::Result<OwnedFd> {
    match DirBuilder::new().mode(0o711).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let others = |_| io::Error::other("it is another user's; remove it");
    let folder = open(path, FOLDER, Mode::empty()).map_err(others)?;
    if fstat(&folder)?.st_uid != geteuid().as_raw() {
        return Err(others(Errno::PERM));
    }
    // Whatever the umask is.
    set_mode(&folder, 0o711)?;
    Ok(folder)
}

/// One process's folder; removed with all in it when this is dropped, which may take its time.
#[derive(Debug)]
pub(crate) struct PrivateFolder {
    path: PathBuf,
    name: OsString,
    all: Arc<Scratch>,
}

impl PrivateFolder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let _stays = self.all.opened().and_then(|folder| remove(folder, &self.name));
    }
}

/// Removes a folder of this one with all in it. Nothing that a function can build in its folder may cost more than time:
/// so this goes no deeper than one level, by moving what lies deeper beside the folder, and opens what is closed. And
/// nothing that one does meanwhile, where it still lives, may lead this elsewhere: so no path is looked up twice.
fn remove(all: &OwnedFd, name: &OsString) -> io::Result<()> {
    let beside = |number: u64| {
        let mut name = name.clone();
        name.push(format!("-{number}"));
        name
    };
    let (mut moved, mut removed) = (0, 0);
    let mut next = name.clone();
    loop {
        match openat(all, &next, FOLDER, Mode::empty()) {
            Ok(folder) => {
                set_mode(&folder, 0o700)?;
                for name in names(&folder)? {
                    match openat(&folder, &name, FOLDER, Mode::empty()) {
                        Ok(inner) => {
                            // Without this a folder of another parent's could not be moved.
                            set_mode(&inner, 0o700)?;
                            renameat(&folder, &name, all, beside(moved))?;
                            moved += 1;
                        }
                        Err(Errno::NOTDIR | Errno::LOOP) => unlinkat(&folder, &name, AtFlags::empty())?,
                        Err(error) => return Err(error.into()),
                    }
                }
                unlinkat(all, &next, AtFlags::REMOVEDIR)?;
            }
            Err(Errno::NOTDIR | Errno::LOOP) => unlinkat(all, &next, AtFlags::empty())?,
            Err(error) => return Err(error.into()),
        }
        if removed == moved {
            return Ok(());
        }
        next = beside(removed);
        removed += 1;
    }
}

/// What lies in a folder.
fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let listed = Dir::new(openat(folder, ".", LIST, Mode::empty())?)?;
    let mut names = Vec::new();
    for entry in listed {
        let name = entry?.file_name().to_bytes().to_vec();
        if name != b"." && name != b".." {
            names.push(OsString::from_vec(name));
        }
    }
    Ok(names)
}

/// Sets the mode of a folder that is open for its path only, which the call made for it refuses.
fn set_mode(folder: &OwnedFd, mode: u32) -> io::Result<()> {
    std::fs::set_permissions(format!("/proc/self/fd/{}", folder.as_raw_fd()), Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch() -> (tempfile::TempDir, PathBuf) {
        let keep = tempfile::tempdir().unwrap();
        let folder = keep.path().join("scratch");
        (keep, folder)
    }

    #[test]
    fn a_folder_is_private_and_gone_with_all_in_it() {
        let (_keep, folder) = scratch();
        let all = Scratch::claim(folder.clone(), None).unwrap();
        let one = all.folder().unwrap();
        assert_eq!(one.path().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let outside = folder.with_file_name("outside");
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink(&outside, one.path().join("link")).unwrap();
        std::fs::create_dir_all(one.path().join("a/b/c")).unwrap();
        std::os::unix::fs::symlink("nowhere", one.path().join("a/b/file")).unwrap();
        std::fs::set_permissions(one.path().join("a/b"), Permissions::from_mode(0o000)).unwrap();
        drop(one);
        assert_eq!(folder.read_dir().unwrap().count(), 0);
        assert!(outside.exists());
        drop(all);
        assert!(!folder.exists());
    }

    #[test]
    fn a_link_in_a_folders_place_leads_nowhere() {
        let (_keep, folder) = scratch();
        let all = Scratch::claim(folder.clone(), None).unwrap();
        let one = all.folder().unwrap();
        let outside = folder.with_file_name("outside");
        std::fs::create_dir(&outside).unwrap();
        std::os::unix::fs::symlink("nowhere", outside.join("file")).unwrap();
        // Where the folder's inner ones are moved to, and the folder itself.
        std::os::unix::fs::symlink(&outside, folder.join("0-0")).unwrap();
        std::fs::remove_dir(one.path()).unwrap();
        std::os::unix::fs::symlink(&outside, one.path()).unwrap();
        drop(one);
        assert!(outside.join("file").is_symlink());
        drop(all);
        let all = Scratch::claim(folder.clone(), None).unwrap();
        assert!(!folder.exists());
        assert!(outside.join("file").is_symlink());
        drop(all);
    }

    #[test]
    fn a_tree_deeper_than_any_stack_is_removed() {
        let (_keep, folder) = scratch();
        let all = Scratch::claim(folder.clone(), None).unwrap();
        let one = all.folder().unwrap();
        // Built from its deepest folder outwards, since no path can name that.
        let inner = folder.join("inner");
        std::fs::create_dir(&inner).unwrap();
        for _ in 0..20_000 {
            std::fs::create_dir(folder.join("outer")).unwrap();
            std::fs::rename(&inner, folder.join("outer/a")).unwrap();
            std::fs::rename(folder.join("outer"), &inner).unwrap();
        }
        std::fs::rename(&inner, one.path().join("a")).unwrap();
        drop(one);
        assert_eq!(folder.read_dir().unwrap().count(), 0);
    }

    #[test]
    fn what_a_killed_server_left_is_removed_and_another_users_folder_is_refused() {
        let (_keep, folder) = scratch();
        std::fs::create_dir_all(folder.join("7/left")).unwrap();
        std::fs::create_dir_all(folder.join("7-0/behind")).unwrap();
        let all = Scratch::claim(folder.clone(), None).unwrap();
        assert!(!folder.exists(), "made by the first process");
        drop(all.folder().unwrap());
        assert_eq!(folder.read_dir().unwrap().count(), 0);
        drop(all);
        std::os::unix::fs::symlink("/tmp", &folder).unwrap();
        assert!(Scratch::claim(folder, None).is_err());
    }
}
