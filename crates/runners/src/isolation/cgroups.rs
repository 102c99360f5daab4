//! Control groups (cgroup v2): where the server has been given a tree of its own, each process gets a group in it, so
//! that it is limited together with all it starts, and ended with all of it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::processes::PROCESS_ALLOWANCE;

/// The group of the server itself: the kernel wants processes in leaves alone.
const SERVER: &str = "msp-server";
/// What a process takes beside the memory that its function may have: programs, libraries, files that it reads.
const OVERHEAD: u64 = 64 * 1024 * 1024;
/// How often an ended group is tried to be removed, and how long a change in it is waited for each time.
const TRIES: u32 = 20;
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The control group that this process was given to make others in: by systemd's `Delegate=`, or in a container whose
/// tree is writable.
///
/// # Errors
/// Why there is none, for the operator.
pub fn own_control_group() -> Result<PathBuf, String> {
    let own =
        fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("/proc/self/cgroup: {error}"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")
        .map_err(|error| format!("/proc/self/mountinfo: {error}"))?;
    let mut folder = mounted_at(&own, &mounts).ok_or("this machine has no cgroup v2")?;
    // A server that was started from within another's group.
    if folder.ends_with(SERVER) {
        folder.pop();
    }
    let given = || {
        ["user.delegate", "trusted.delegate"].iter().any(|name| {
            let mut value = [0; 4];
            rustix::fs::getxattr(&folder, *name, &mut value[..])
                .is_ok_and(|length| value.starts_with(b"1") && length == 1)
        })
    };
    let writable = |name: &str| rustix::fs::access(folder.join(name), rustix::fs::Access::WRITE_OK).is_ok();
    // The root of all has no such file.
    if !folder.join("cgroup.events").exists() {
        return Err("the server is in the root of all control groups".to_owned());
    }
    let all_in_it = ["cgroup.procs", "cgroup.subtree_control", ""].into_iter().all(writable);
    // Root may write everywhere; in a name space of its own, what is visible of the tree is the container's.
    if !all_in_it || (geteuid().is_root() && !given() && !own.lines().any(|line| line == "0::/")) {
        return Err("none was given to it; right would be Delegate=yes in its systemd unit".to_owned());
    }
    // A terminal's group is its user's to write, and not the server's: it would take the shell along.
    let others = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    let own = std::process::id().to_string();
    if others.lines().any(|process| process != own && process != "1") {
        return Err(
            "it shares its group with other processes; right would be Delegate=yes in its systemd unit"
                .to_owned(),
        );
    }
    Ok(folder)
}

/// Where this process's group of the second version is mounted (proc_pid_cgroup(5), proc_pid_mountinfo(5)).
fn mounted_at(own: &str, mounts: &str) -> Option<PathBuf> {
    let own = Path::new(own.lines().find_map(|line| line.strip_prefix("0::"))?);
    mounts.lines().find_map(|line| {
        let (fields, kind) = line.split_once(" - ")?;
        let mut fields = fields.split(' ').skip(3);
        let (root, mounted) = (fields.next()?, fields.next()?);
        let below = own.strip_prefix(root).ok().filter(|_| kind.starts_with("cgroup2 "))?;
        Some(if below.as_os_str().is_empty() { mounted.into() } else { Path::new(mounted).join(below) })
    })
}

/// The groups of one server.
#[derive(Debug)]
pub(super) struct Cgroups {
    folder: PathBuf,
    /// What the names of its groups begin with.
    prefix: String,
    number: AtomicU64,
}

/// The group of one process and all it starts, which end when this is dropped.
#[derive(Debug)]
pub(crate) struct Cgroup {
    path: PathBuf,
}

impl Cgroups {
    /// Prepares the group that is the server's for others within, and ends what a killed server has left there;
    /// `name` is no other server's.
    pub(super) fn claim(folder: PathBuf, name: &str) -> io::Result<Self> {
        let server = folder.join(SERVER);
        make(&server)?;
        for process in fs::read_to_string(folder.join("cgroup.procs"))?.lines() {
            match write(&server, "cgroup.procs", process) {
                Err(error) if error.raw_os_error() == Some(Errno::SRCH.raw_os_error()) => {} // it has ended
                moved => moved?,
            }
        }
        write(&folder, "cgroup.subtree_control", "+memory +pids")?;
        let all = Self { folder, prefix: format!("{name}-"), number: AtomicU64::new(0) };
        for entry in all.folder.read_dir()?.flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&all.prefix)) {
                drop(Cgroup { path: entry.path() });
            }
        }
        Ok(all)
    }

    /// A new group for a process whose function may have so much memory, in bytes.
    pub(super) fn group(&self, memory: u64) -> io::Result<Cgroup> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let path = self.folder.join(format!("{}{number}", self.prefix));
        make(&path)?;
        let group = Cgroup { path };
        write(&group.path, "pids.max", &PROCESS_ALLOWANCE.to_string())?;
        write(&group.path, "memory.max", &memory.saturating_add(OVERHEAD).to_string())?;
        // What remains of it when one of its processes was ended is of no use.
        write(&group.path, "memory.oom.group", "1")?;
        Ok(group)
    }
}

impl Cgroup {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Ends all that is in it, at once.
    pub(crate) fn kill(&self) {
        // Before Linux 5.14 there is no such file; its process group is killed as well.
        let _old_kernel = write(&self.path, "cgroup.kill", "1");
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        self.kill();
        // Tells by POLLPRI when nobody is left in it (cgroup v2, "populated").
        let events = fs::File::open(self.path.join("cgroup.events"));
        for _ in 0..TRIES {
            match (fs::remove_dir(&self.path), &events) {
                (Err(error), Ok(events)) if error.kind() == io::ErrorKind::ResourceBusy => {
                    let _changed_or_not = poll(&mut [PollFd::new(events, PollFlags::PRI)], Some(&WAIT));
                }
                _ => return,
            }
        }
    }
}

/// Puts this process into a group.
///
/// # Errors
/// What the system says.
pub(super) fn join(group: &Path) -> io::Result<()> {
    write(group, "cgroup.procs", "0")
}

fn make(path: &Path) -> io::Result<()> {
    fs::create_dir(path).or_else(|error| if path.is_dir() { Ok(()) } else { Err(error) })
}

/// The kernel makes the files; elsewhere, as in tests, they are made here.
fn write(group: &Path, file: &str, text: &str) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::CLOEXEC;
    let opened = rustix::fs::open(group.join(file), flags, Mode::from_raw_mode(0o600))?;
    // The kernel takes such a text as a whole, or not at all.
    rustix::io::write(opened, text.as_bytes()).map(drop).map_err(io::Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_where_it_is_mounted() {
        let mounts = "24 1 0:22 / /proc rw - proc proc rw\n\
                      31 24 0:27 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(mounted_at("0::/a/b\n", mounts), Some("/sys/fs/cgroup/a/b".into()));
        assert_eq!(mounted_at("1:pids:/x\n0::/\n", mounts), Some("/sys/fs/cgroup".into()));
        let part = "31 24 0:27 /a /mnt/own rw - cgroup2 cgroup2 rw\n";
        assert_eq!(mounted_at("0::/a/b\n", part), Some("/mnt/own/b".into()));
        assert_eq!(mounted_at("0::/b\n", part), None);
        assert_eq!(mounted_at("1:pids:/x\n", mounts), None);
        assert_eq!(mounted_at("0::/\n", "24 1 0:22 / /proc rw - proc proc rw\n"), None);
    }

    #[test]
    fn each_process_has_a_group_with_limits_and_what_a_killed_server_left_is_ended() {
        let tree = tempfile::tempdir().unwrap();
        let at = |name: &str| tree.path().join(name);
        let read = |name: &str| fs::read_to_string(at(name)).unwrap();
        write(tree.path(), "cgroup.procs", "12\n34\n").unwrap();
        for left in ["one-7", "two-7"] {
            fs::create_dir(at(left)).unwrap();
        }
        let all = Cgroups::claim(tree.path().to_owned(), "one").unwrap();
        assert_eq!(read("msp-server/cgroup.procs"), "1234");
        assert_eq!(read("cgroup.subtree_control"), "+memory +pids");
        // In the kernel's tree the files go with the folder.
        assert_eq!((read("one-7/cgroup.kill"), at("two-7/cgroup.kill").exists()), ("1".to_owned(), false));
        let group = all.group(1000).unwrap();
        join(group.path()).unwrap();
        assert_eq!(group.path(), at("one-0"));
        for (file, text) in [("pids.max", "512"), ("memory.max", "67109864"), ("cgroup.procs", "0")] {
            assert_eq!(read(&format!("one-0/{file}")), text, "{file}");
        }
        drop(group);
        assert_eq!(read("one-0/cgroup.kill"), "1");
        let _other = all.group(0).unwrap();
        assert!(at("one-1").exists());
    }
}
