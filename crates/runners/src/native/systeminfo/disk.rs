//! The disks that `/etc/fstab` names, and how full they are.

use std::fs::canonicalize;
use std::io::ErrorKind;
use std::path::Path;

use msp_core::RunError;
use rustix::fs::{AtFlags, CWD, StatVfs, StatxAttributes, StatxFlags, statvfs, statx};
use serde_json::{Value, json};

const FILE: &str = "/etc/fstab";

/// File systems on disks; network and virtual ones are left out.
const REAL: [&str; 18] = [
    "apfs", "btrfs", "exfat", "ext2", "ext3", "ext4", "fat12", "fat16", "fat32", "hfs", "hfs+", "hfsplus",
    "hpfs", "ntfs", "ufs", "vfat", "xfs", "zfs",
];

/// One object for each file system on a disk that is mounted. Blocks when a disk does.
pub(super) fn part() -> Result<Value, RunError> {
    let table = match std::fs::read(FILE) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => return Err(RunError::Failed(format!("{FILE}: {error}"))),
    };
    Ok(entries(&table)
        .filter_map(|entry| usage(Path::new(&entry.mount)).map(|usage| entry.describe(&usage)))
        .collect())
}

/// One line of fstab.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    device: String,
    mount: String,
    kind: String,
    options: String,
}

impl Entry {
    fn describe(&self, usage: &Usage) -> Value {
        json!({
            "dev": self.device,
            "friendly_dev": friendly(&self.device),
            "mount": self.mount,
            "fstype": self.kind,
            "options": self.options,
            "total": usage.total,
            "free": usage.free,
            "used": usage.used,
            "percent": usage.percent(),
        })
    }
}

/// The real file systems of fstab. The last two fields may be missing, and the options too.
fn entries(table: &str) -> impl Iterator<Item = Entry> {
    table.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().take_while(|field| !field.starts_with('#')).map(unescaped);
        let (device, mount, kind) = (fields.next()?, fields.next()?, fields.next()?);
        let options = fields.next().unwrap_or_else(|| "defaults".to_owned());
        REAL.contains(&kind.as_str()).then_some(Entry { device, mount, kind, options })
    })
}

/// A field of fstab with its blanks, which are written as `\040` and the like.
fn unescaped(field: &str) -> String {
    let mut parts = field.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let code = part.get(..3).and_then(|octal| u8::from_str_radix(octal, 8).ok()).filter(u8::is_ascii);
        match (code, part.get(3..)) {
            (Some(code), Some(rest)) => {
                plain.push(char::from(code));
                plain.push_str(rest);
            }
            _ => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

/// A device's name for people: what stands after `UUID=` or `LABEL=`, else the name of its file.
fn friendly(device: &str) -> String {
    if let Some((_, value)) = device.split_once('=').filter(|(tag, _)| !tag.contains('/')) {
        return value.trim_matches('"').to_owned();
    }
    let path = Path::new(device);
    let by_link = device.contains("by-id") || device.contains("by-uuid");
    let file = by_link.then(|| canonicalize(path).ok()).flatten();
    let name = file.as_deref().unwrap_or(path).file_name();
    name.map_or_else(|| device.to_owned(), |name| name.to_string_lossy().into_owned())
}

/// How full a file system is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Usage {
    total: u64,
    /// What programs without privileges may still take.
    free: u64,
    used: u64,
}

impl Usage {
    fn of(numbers: &StatVfs) -> Self {
        let bytes = |blocks: u64| blocks.saturating_mul(numbers.f_frsize);
        Self {
            total: bytes(numbers.f_blocks),
            free: bytes(numbers.f_bavail),
            used: bytes(numbers.f_blocks.saturating_sub(numbers.f_bfree)),
        }
    }

    /// What is not free, in whole percent; 0 of nothing.
    fn percent(self) -> u128 {
        let free = (u128::from(self.free) * 100).checked_div(u128::from(self.total));
        100_u128.saturating_sub(free.unwrap_or(100))
    }
}

/// How full the file system mounted here is; none when nothing is.
fn usage(mount: &Path) -> Option<Usage> {
    is_mounted(mount).then(|| statvfs(mount).ok()).flatten().map(|numbers| Usage::of(&numbers))
}

/// False when the folder is one of the file system above it, whose numbers are not meant. Where the kernel
/// cannot say (before 5.8), the folder counts as mounted.
fn is_mounted(mount: &Path) -> bool {
    let root = StatxAttributes::MOUNT_ROOT;
    mount == Path::new("/")
        || statx(CWD, mount, AtFlags::empty(), StatxFlags::empty()).is_ok_and(|found| {
            !found.stx_attributes_mask.contains(root) || found.stx_attributes.contains(root)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(device: &str, mount: &str, kind: &str, options: &str) -> Entry {
        Entry {
            device: device.to_owned(),
            mount: mount.to_owned(),
            kind: kind.to_owned(),
            options: options.to_owned(),
        }
    }

    #[test]
    fn fstab_gives_the_real_file_systems() {
        let table = "# <file system> <mount point> <type>\n\
            UUID=0a-1b / ext4 errors=remount-ro 0 1\n\
            \t /dev/sda2\t/srv/my\\040data  fat16\trw,noatime 0 2 # old\n\
            tank/home /home zfs defaults\n\
            /dev/sdb1 /bare xfs # no options\n\
            nas:/share /nas nfs4 defaults 0 0\n\
            proc /proc proc defaults 0 0\n\
            /dev/sda3 none swap sw 0 0\n\
            /dev/sda4\n\n";
        assert_eq!(
            entries(table).collect::<Vec<_>>(),
            [
                entry("UUID=0a-1b", "/", "ext4", "errors=remount-ro"),
                entry("/dev/sda2", "/srv/my data", "fat16", "rw,noatime"),
                entry("tank/home", "/home", "zfs", "defaults"),
                entry("/dev/sdb1", "/bare", "xfs", "defaults"),
            ]
        );
    }

    #[test]
    fn odd_fields_stay_as_they_are() {
        for odd in ["\\", "\\04", "\\999", "a\\\u{fffd}\u{fffd}b", "\\377", "\\é"] {
            let _unescaped_without_panic = unescaped(odd);
        }
        assert_eq!(unescaped("a\\011b\\134c\\"), "a\tb\\c\\");
        assert_eq!(unescaped("\\377x"), "\\377x");
    }

    #[test]
    fn a_friendly_device_is_short() {
        assert_eq!(friendly("UUID=0a-1b"), "0a-1b");
        assert_eq!(friendly("LABEL=\"data=1\""), "data=1");
        assert_eq!(friendly("/dev/sda1"), "sda1");
        assert_eq!(friendly("/dev/disk/by-label/a=b"), "a=b");
        assert_eq!(friendly("/dev/disk/by-uuid/nowhere"), "nowhere");
        assert_eq!(friendly("tank/home"), "home");
        for odd in ["", "/", "..", "="] {
            let _named_without_panic = friendly(odd);
        }
    }

    #[test]
    fn a_link_by_id_is_followed_to_its_device() {
        let folder = tempfile::tempdir().unwrap();
        let (device, links) = (folder.path().join("sdz9"), folder.path().join("by-id"));
        std::fs::create_dir_all(&device).unwrap();
        std::fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(&device, links.join("ata-DISK")).unwrap();
        assert_eq!(friendly(links.join("ata-DISK").to_str().unwrap()), "sdz9");
    }

    #[test]
    fn percent_is_what_is_not_free() {
        let percent = |total, free| Usage { total, free, used: 0 }.percent();
        assert_eq!(percent(1000, 1000), 0);
        assert_eq!(percent(1000, 999), 1);
        assert_eq!(percent(1000, 290), 71);
        assert_eq!(percent(1000, 0), 100);
        assert_eq!(percent(0, 0), 0);
        assert_eq!(percent(1, u64::MAX), 0);
        assert_eq!(percent(u64::MAX, u64::MAX), 0);
    }

    #[test]
    fn only_what_is_mounted_has_numbers() {
        let root = usage(Path::new("/")).unwrap();
        assert!(root.total >= root.used && root.total >= root.free && root.total > 0, "{root:?}");
        assert_eq!(usage(Path::new("/nowhere/at/all")), None);
        assert_eq!(usage(Path::new("with\0nul")), None);
    }
}
