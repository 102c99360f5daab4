//! What tells whether a file is still the same.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// A file as it is, without its content. Time and size alone do not tell: images, the Nix store and mounted volumes
/// give all files one time. What changes by `chmod`, `chown` or a rename counts too, since it may be what was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    device: u64,
    inode: u64,
    /// Seconds and nanoseconds of the last change of the file's content or inode.
    changed: (i64, i64),
    /// Those of the last change of its content, or what somebody set.
    modified: (i64, i64),
    size: u64,
}

impl Stamp {
    /// That of the file which the path leads to; none when it leads nowhere that can be seen.
    #[must_use]
    pub fn of(path: &Path) -> Option<Self> {
        path.metadata().ok().as_ref().map(Self::from)
    }
}

impl From<&Metadata> for Stamp {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            size: metadata.size(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::time::SystemTime;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "files that hold nothing")]
    fn another_file_of_the_same_time_and_size_is_another_and_so_is_one_with_other_rights() {
        let folder = std::env::temp_dir().join(format!("msp-stamp-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let [one, two, link] = ["one", "two", "link"].map(|name| folder.join(name));
        for path in [&one, &two] {
            File::create(path).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
        std::os::unix::fs::symlink("one", &link).unwrap();
        let before = Stamp::of(&link);
        assert_eq!((before, before.is_some()), (Stamp::of(&one), true));
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink("two", &link).unwrap();
        assert_ne!(Stamp::of(&link), before);
        let before = Stamp::of(&two);
        fs::set_permissions(&two, Permissions::from_mode(0o400)).unwrap();
        assert_ne!(Stamp::of(&two), before);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(Stamp::of(&link), None);
    }
}
