//! A small file system of a test's own, which can be filled and broken.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Set in the process that has mounts of its own.
const INSIDE: &str = "MSP_TEST_OWN_MOUNTS";
const MIB: u64 = 1024 * 1024;

/// A mounted ext4 file system of 16 MiB, on which root has nothing in reserve.
pub(super) struct Volume {
    folder: TempDir,
}

/// Runs the test of this name again, in a process whose mounts nobody else sees, and `body` there.
pub(super) fn with_volume(test: &str, body: impl AsyncFnOnce(Volume)) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(body(Volume::new()));
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "this test mounts a file system in a namespace of its own, so it must run as root; to leave it out: \
         cargo nextest run --workspace -E 'not test(faults::volumes)'"
    );
    let mut again = Command::new("unshare");
    again.arg("--mount").arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    let output = again.env(INSIDE, "1").stderr(Stdio::inherit()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
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

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}
