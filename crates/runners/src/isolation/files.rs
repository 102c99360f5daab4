//! Landlock: which files a confined process finds, and that it reaches no process but its own.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, Scope, make_bitflags,
};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

use super::plan::Plan;

/// The newest interface these rules were tried with; of an older kernel all that it has is used.
const TESTED_ABI: ABI = ABI::V7;

/// Programs and libraries.
const PROGRAMS: &[&str] = &["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"];

/// What programs look up about the machine and the network; nothing of it is secret.
const LOOKUP_FILES: &[&str] = &[
    "/etc/alternatives",
    "/etc/ca-certificates",
    "/etc/crypto-policies",
    "/etc/debian_version",
    "/etc/fstab",
    "/etc/gai.conf",
    "/etc/group",
    "/etc/host.conf",
    "/etc/hostname",
    "/etc/hosts",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/ld.so.preload",
    "/etc/locale.alias",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/mtab",
    "/etc/networks",
    "/etc/nsswitch.conf",
    "/etc/os-release",
    "/etc/passwd",
    "/etc/pki/ca-trust",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/openssl.cnf",
    "/etc/protocols",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/ssl/cert.pem",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/timezone",
    "/run/systemd/resolve",
    "/dev/random",
    "/dev/urandom",
    "/proc",
    "/sys",
];

/// Devices that take and give nothing of worth.
const DEVICES: &[&str] = &["/dev/full", "/dev/null", "/dev/zero"];

/// Everything that any confined process may read.
pub(super) fn system_paths() -> impl Iterator<Item = &'static Path> {
    PROGRAMS.iter().chain(LOOKUP_FILES).chain(DEVICES).map(Path::new)
}

/// What of it needs a rule on this machine: what exists and does not lie in a folder of programs anyway, as a link
/// does that leads there.
pub(super) fn existing_lookup_files() -> Vec<PathBuf> {
    let exists = LOOKUP_FILES.iter().filter_map(|path| Some((path, Path::new(path).canonicalize().ok()?)));
    let elsewhere = exists.filter(|(_, found)| !PROGRAMS.iter().any(|folder| found.starts_with(folder)));
    elsewhere.map(|(path, _)| path.into()).collect()
}

/// Lets this process find the plan's files and those of the system, and nothing else. Gives the version of the
/// interface that is in force, 0 for none.
pub(super) fn restrict(plan: &Plan) -> Result<i32, RulesetError> {
    let look = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let read = AccessFs::from_read(TESTED_ABI);
    let use_device = make_bitflags!(AccessFs::{ReadFile | WriteFile});
    // Devices are made by root alone; one that is there, or in a folder of them such as /dev/pts, was given to be used.
    let change = AccessFs::from_all(TESTED_ABI) & !make_bitflags!(AccessFs::{MakeBlock | MakeChar});
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(TESTED_ABI))?
        .scope(Scope::from_all(TESTED_ABI))?;
    if !plan.network {
        rules = rules.handle_access(AccessNet::from_all(TESTED_ABI))?;
    }
    let mut rules = rules.create()?;
    for (paths, access) in [(PROGRAMS, read), (DEVICES, use_device)] {
        for path in paths {
            rules = allow(rules, Path::new(path), access)?;
        }
    }
    for path in &plan.lookup_files {
        rules = allow(rules, path, look)?;
    }
    for (paths, access) in [(&plan.readable, read), (&plan.writable, change)] {
        for path in paths {
            rules = allow_resolved(rules, path, access)?;
        }
    }
    Ok(match rules.restrict_self()?.landlock {
        LandlockStatus::Available { effective_abi, kernel_abi } => kernel_abi.unwrap_or(effective_abi as i32),
        _ => 0,
    })
}

/// What does not exist needs no rule; of a file only what fits files is allowed.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    match PathFd::new(path) {
        Ok(opened) => rules.add_rule(PathBeneath::new(opened, access)),
        Err(_) => Ok(rules),
    }
}

/// The same for a path without links. Where a function may write, it could put one in its place that leads to what
/// was refused when the path was looked at.
fn allow_resolved(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    match openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
        Ok(opened) => rules.add_rule(PathBeneath::new(opened, access)),
        Err(_) => Ok(rules),
    }
}

/// The path as the kernel sees it, without links; itself when it does not exist.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    path.canonicalize().or_else(|_| std::path::absolute(path)).unwrap_or_else(|_| path.to_owned())
}
