//! A small file system of a test's own, which can be filled and broken.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::namespace::{in_namespace, run};

const MIB: u64 = 1024 * 1024;

/// A mounted ext4 file system of 16 MiB, on which root has nothing in reserve.
pub(super) struct Volume {
    folder: TempDir,
}

/// Runs the test of this name with a volume, in a process whose mounts nobody else sees.
pub(super) fn with_volume(test: &str, body: impl AsyncFnOnce(Volume)) {
    in_namespace("--mount", test, async || body(Volume::new()).await);
}

impl Volume {
    fn new() -> Self {
        let volume = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(volume.path()).unwrap();
        std::fs::File::create(volume.image()).unwrap().set_len(16 * MIB).unwrap();
        let image = volume.image();
        run(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).arg(image));
        volume.mount();
        volume
    }

    /// Where it is mounted.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("volume")
    }

    fn image(&self) -> PathBuf {
        self.folder.path().join("image")
    }

    fn mount(&self) {
        run(Command::new("mount").args(["-o", "loop,errors=remount-ro"]).arg(self.image()).arg(self.path()));
    }

    /// Takes the last byte.
    pub(super) fn fill(&self) {
        let mut file = std::fs::File::create(self.path().join("fill")).unwrap();
        for size in [64 * 1024, 4096, 1] {
            let piece = vec![b'x'; size];
            while file.write_all(&piece).and_then(|()| file.sync_data()).is_ok() {}
        }
    }

    /// Gives the space back.
    pub(super) fn free(&self) {
        std::fs::remove_file(self.path().join("fill")).unwrap();
    }

    /// Has the kernel meet an error, after which nothing more can be written.
    pub(super) fn break_down(&self) {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let at = self.path().display().to_string();
        let line = mounts.lines().find(|line| line.split(' ').nth(1) == Some(&at)).unwrap();
        let device = line.split(' ').next().unwrap().rsplit('/').next().unwrap();
        std::fs::write(format!("/sys/fs/ext4/{device}/trigger_fs_error"), "a test").unwrap();
    }

    /// Checks the file system and mounts it again.
    pub(super) fn repair(&self) {
        run(Command::new("umount").arg(self.path()));
        // 1 says that errors were found and mended.
        let checked = Command::new("e2fsck").args(["-f", "-y"]).arg(self.image()).output().unwrap();
        assert!(matches!(checked.status.code(), Some(0 | 1)), "{checked:?}");
        self.mount();
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: what a failed test has left open must not keep its folder.
        let _mounted_no_more = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}
