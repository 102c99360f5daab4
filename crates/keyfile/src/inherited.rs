//! What root has read for the process that it becomes, when it works in the folder of another user.
//!
//! Root reads its configuration and the files named on its command line, then runs itself again as the owner of the
//! folder. That owner may not read all of those files, and they might be others by then, so their texts go along.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use zeroize::Zeroizing;

/// The texts of files, `None` for those that are missing, by the paths they were asked for.
pub type Texts = BTreeMap<PathBuf, Option<Zeroizing<String>>>;

/// What this process reads while it is root.
static KEPT: Mutex<Option<Texts>> = Mutex::new(None);

/// What this process got from the one that it was as root.
static GIVEN: OnceLock<Texts> = OnceLock::new();

/// From now on [`read_text`](crate::read_text) keeps what it reads, for [`kept_texts`].
pub fn keep_texts() {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default();
}

/// What was read since [`keep_texts`].
#[must_use]
pub fn kept_texts() -> Texts {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default()
}

/// Takes over what this process read as root: the files of these paths are not opened again, and from now on links
/// that another user may have made are not followed.
pub fn take_texts(texts: Texts) {
    let _once = GIVEN.set(texts);
}

pub(crate) fn came_from_root() -> bool {
    GIVEN.get().is_some()
}

pub(crate) fn given(path: &Path) -> Option<&'static Option<Zeroizing<String>>> {
    GIVEN.get()?.get(path)
}

/// Keeps a text if this process keeps what it reads.
pub(crate) fn keep(path: &Path, text: Option<&Zeroizing<String>>) {
    if let Some(kept) = KEPT.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
        kept.insert(path.to_owned(), text.cloned());
    }
}
