//! The private folder of each process: its home and the place for its temporary files.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::geteuid;

use super::user::WorkerUser;

/// The folder that holds all of them. Another user may pass through it, and not list it.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: PathBuf,
    user: Option<WorkerUser>,
    number: AtomicU64,
}

impl Scratch {
    /// Takes the folder into use; what a killed server has left in it is removed.
    pub(super) fn claim(folder: PathBuf, user: Option<WorkerUser>) -> io::Result<Arc<Self>> {
        match DirBuilder::new().mode(0o711).create(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let found = folder.symlink_metadata()?;
                if !found.is_dir() || found.uid() != geteuid().as_raw() {
                    return Err(io::Error::other("it is another user's; remove it"));
                }
                let mut left: Vec<_> = folder.read_dir()?.flatten().map(|entry| entry.path()).collect();
                // Long names first: they are in the way of what is moved beside shorter ones.
                left.sort_unstable_by_key(|path| std::cmp::Reverse(path.as_os_str().len()));
                for path in left {
                    // What cannot be removed is in nobody's way.
                    let _stays = remove(&path);
                }
            }
            other => other?,
        }
        // Whatever the umask is.
        std::fs::set_permissions(&folder, Permissions::from_mode(0o711))?;
        let folder = folder.canonicalize()?;
        Ok(Arc::new(Self { folder, user, number: AtomicU64::new(0) }))
    }

    /// Makes a new private folder.
    pub(super) fn folder(self: &Arc<Self>) -> io::Result<PrivateFolder> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(number.to_string());
        DirBuilder::new().mode(0o700).create(&path)?;
        let made = PrivateFolder { path, _all: self.clone() };
        if let Some(user) = self.user {
            user.own(&made.path)?;
        }
        Ok(made)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Fails when something is left in it, which the next start removes.
        let _left = std::fs::remove_dir(&self.folder);
    }
}

/// One process's folder; removed with all in it when this is dropped, which may take its time.
#[derive(Debug)]
pub(crate) struct PrivateFolder {
    path: PathBuf,
    _all: Arc<Scratch>,
}

impl PrivateFolder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PrivateFolder {
    fn drop(&mut self) {
        let _stays = remove(&self.path);
    }
}

/// Removes a folder with all in it. Nothing that a function can build in its folder may cost more than time: so
/// this goes no deeper than one level, by moving what lies deeper beside the folder, and opens what is closed.
fn remove(folder: &Path) -> io::Result<()> {
    let beside = |number: u64| {
        let mut path = folder.as_os_str().to_owned();
        path.push(format!("-{number}"));
        PathBuf::from(path)
    };
    let (mut moved, mut removed) = (0, 0);
    let mut next = folder.to_owned();
    loop {
        for entry in next.read_dir()? {
            let path = entry?.path();
            if path.symlink_metadata()?.is_dir() {
                std::fs::set_permissions(&path, Permissions::from_mode(0o700))?;
                std::fs::rename(&path, beside(moved))?;
                moved += 1;
            } else {
                std::fs::remove_file(&path)?;
            }
        }
        std::fs::remove_dir(&next)?;
        if removed == moved {
            return Ok(());
        }
        next = beside(removed);
        removed += 1;
    }
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
        assert_eq!(folder.read_dir().unwrap().count(), 0);
        drop(all);
        std::os::unix::fs::symlink("/tmp", &folder).unwrap();
        assert!(Scratch::claim(folder, None).is_err());
    }
}
