//! Root works in the folder of another user as that user.
//!
//! Whoever owns a folder can put a link in place of any name in it, at any moment. So root only opens what it was
//! told to open, its configuration and the files of its command line, and then runs this program again as the owner
//! of the folder: all that a link can reach there is what the owner reaches anyway. The texts of the configuration go
//! along in memory, a file to write or to read as standard input. No moment comes in which the owner could look into
//! the process: it becomes undumpable first thing, and until then it is so because its real group differs.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Seek as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use msp_keyfile::Texts;
use rustix::process::{DumpableBehavior, Gid, Resource, Rlimit, Uid};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::AdminError;
use crate::users::{self, Groups};

/// What a process that root started as the owner of a folder gets from it; as JSON in memory on the way.
#[derive(Serialize, Deserialize)]
struct Inherited {
    /// Who root was, for the audit.
    actor: String,
    /// Whether standard input is the file that the command line names.
    has_file: bool,
    /// What root has read.
    texts: Vec<(PathBuf, Option<Zeroizing<String>>)>,
}

/// What this process got from root, but for the texts; empty where root did not start it as another user.
static INHERITED: OnceLock<Inherited> = OnceLock::new();

/// The first thing a program does: nobody may look into it; what root sends along is taken. Gives the command line
/// without the argument that tells of it.
///
/// # Errors
/// [`AdminError::Io`] when what root sends along cannot be read.
pub(crate) fn begin() -> Result<Vec<OsString>, AdminError> {
    let _old_kernel = rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    let _not_permitted = rustix::process::setrlimit(Resource::Core, none);
    let mut arguments: Vec<_> = std::env::args_os().collect();
    let marked = arguments
        .get(1)
        .and_then(|argument| argument.to_str())
        .and_then(|argument| argument.strip_prefix(MARK).and_then(|number| number.parse::<u32>().ok()));
    let Some(descriptor) = marked else {
        if is_root() {
            msp_keyfile::keep_texts();
        }
        return Ok(arguments);
    };
    arguments.remove(1);
    let failed = |cause| AdminError::io("take over from root", cause);
    let gid = rustix::process::getegid();
    rustix::thread::set_thread_res_gid(gid, gid, gid).map_err(|error| failed(error.into()))?;
    let path = PathBuf::from(format!("/proc/self/fd/{descriptor}"));
    let text = msp_keyfile::read_text(&path, MAX_INHERITED)?;
    let mut inherited: Inherited = serde_json::from_str(&text).map_err(|error| failed(error.into()))?;
    msp_keyfile::take_texts(std::mem::take(&mut inherited.texts).into_iter().collect());
    let _once = INHERITED.set(inherited);
    Ok(arguments)
}

/// True before root became anybody.
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Who gave the command, for the audit: this process's user, or root where root became that user.
pub(crate) fn actor() -> String {
    INHERITED.get().map_or_else(users::actor, |inherited| inherited.actor.clone())
}

/// The file that the command line names: opened by root, or now.
pub(crate) fn file(open: impl FnOnce() -> Result<File, AdminError>) -> Result<File, AdminError> {
    if INHERITED.get().is_some_and(|inherited| inherited.has_file) {
        let file = io::stdin().as_fd().try_clone_to_owned();
        return file.map(File::from).map_err(|cause| AdminError::io("take over a file from root", cause));
    }
    open()
}

/// Goes on in this process, unless it is root's and the folders belong to another user: then the command runs
/// once more, as that user, and its end is this one's.
///
/// # Errors
/// [`AdminError::RanAsOwner`] with that end; [`AdminError::Owners`] when the folders have several owners, or that
/// it cannot be done.
pub(crate) fn work_as_owner(folders: &[&Path], file: Option<&File>) -> Result<(), AdminError> {
    if !is_root() {
        return Ok(());
    }
    let texts = msp_keyfile::kept_texts();
    let Some((folder, uid, gid)) = foreign_owner(folders)? else { return Ok(()) };
    let failed = |cause| AdminError::BecomeOwner { folder: folder.to_owned(), uid, cause };
    let inherited = pack(texts, file.is_some()).map_err(failed)?;
    let mut command = same_program(&inherited, file).map_err(failed)?;
    let (user, groups) = (Uid::from_raw(uid), users::groups(uid, gid));
    // The ids are those of one thread, and what it starts inherits them; this one stays root and waits.
    let ended = std::thread::scope(|scope| {
        let started = scope.spawn(move || take_ids(user, &groups).and_then(|()| command.status()));
        started.join().unwrap_or_else(|_| Err(io::Error::other("the thread died")))
    });
    let code = ended.map_err(failed)?.code().and_then(|code| u8::try_from(code).ok());
    Err(AdminError::RanAsOwner(code.unwrap_or(1)))
}

/// The one user but root to whom the folders belong, with the group of the folder that says so.
fn foreign_owner<'a>(folders: &[&'a Path]) -> Result<Option<(&'a Path, u32, u32)>, AdminError> {
    let mut found: Option<(&Path, u32, u32)> = None;
    for &folder in folders {
        let (uid, gid) = msp_keyfile::owner_of(folder)?;
        match found {
            _ if uid == 0 => {}
            None => found = Some((folder, uid, gid)),
            Some((_, first, _)) if first == uid => {}
            Some((first, of, _)) => {
                let folders = [first.to_owned(), folder.to_owned()];
                return Err(AdminError::Owners { folders, uids: [of, uid] });
            }
        }
    }
    Ok(found)
}

/// Puts what goes along into memory that the next program inherits.
fn pack(texts: Texts, has_file: bool) -> io::Result<File> {
    let inherited = Inherited { actor: users::actor(), has_file, texts: texts.into_iter().collect() };
    let json = Zeroizing::new(serde_json::to_vec(&inherited)?);
    let mut file = File::from(rustix::fs::memfd_create("msp-admin", rustix::fs::MemfdFlags::empty())?);
    file.write_all(&json)?;
    file.rewind()?;
    Ok(file)
}

/// This program with its arguments, and the one that tells it of what goes along.
#[expect(clippy::disallowed_methods, reason = "the same program again, which is no function of anybody's")]
fn same_program(inherited: &File, file: Option<&File>) -> io::Result<Command> {
    use std::os::unix::process::CommandExt as _;
    let mut arguments = std::env::args_os();
    let mut command = Command::new("/proc/self/exe");
    command.arg0(arguments.next().unwrap_or_default());
    command.arg(format!("{MARK}{}", inherited.as_raw_fd())).args(arguments);
    if let Some(file) = file {
        command.stdin(Stdio::from(file.try_clone()?));
    }
    Ok(command)
}

/// Gives this thread the ids of the user; its real group is left until the program that it starts has become undumpable.
fn take_ids(user: Uid, groups: &Groups) -> io::Result<()> {
    rustix::thread::set_thread_groups(&groups.others)?;
    rustix::thread::set_thread_res_gid(None::<Gid>, groups.own, groups.own)?;
    rustix::thread::set_thread_res_uid(user, user, user)?;
    Ok(rustix::thread::set_no_new_privs(true)?)
}

/// The beginning of the argument that tells of what goes along: the number of a descriptor follows.
const MARK: &str = "--from-root=";

/// More than a configuration and a register of the largest size, as JSON, in bytes.
const MAX_INHERITED: usize = 512 * 1024 * 1024;
