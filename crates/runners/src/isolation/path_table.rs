//! The paths of the settings, resolved: what they lead to behind links.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Exposed;
use super::files::resolved;

/// The paths of the settings, without links. A link of the operator's is followed again at each reload, that of a folder
/// of the search path whenever files are looked at. No link is followed when a process starts, and none ever again that
/// stands where a function may write: it leads where it led.
#[derive(Debug)]
pub(super) struct PathTable {
    search_path: Vec<PathBuf>,
    private: Vec<PathBuf>,
    current: Mutex<Resolution>,
    /// Held while links are followed, which may take long where a mount hangs; nothing else waits for it.
    following: Mutex<()>,
}

/// What the paths lead to now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Resolution {
    folders: Arc<[PathBuf]>,
    /// What no function may reach.
    private: Vec<PathBuf>,
    /// The paths that functions may reach by their settings.
    granted: HashMap<PathBuf, GrantedPath>,
    /// How often one of these has changed.
    changes: u64,
    /// Why the search path stays as it was, although it leads elsewhere.
    refused: Option<Exposed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct GrantedPath {
    target: PathBuf,
    /// Whether some function may change what is there.
    writable: bool,
}

impl PathTable {
    /// They need not exist yet.
    pub(super) fn new(search_path: Vec<PathBuf>, private: Vec<PathBuf>) -> Self {
        let current = Resolution {
            folders: search_path.iter().map(|path| resolved(path)).collect(),
            private: private.iter().map(|path| resolved(path)).collect(),
            ..Resolution::default()
        };
        Self { search_path, private, current: Mutex::new(current), following: Mutex::default() }
    }

    /// The folders of the search path.
    pub(super) fn folders(&self) -> Arc<[PathBuf]> {
        self.current().folders.clone()
    }

    /// Where a path led when it was first asked for since the last reload.
    pub(super) fn granted(&self, path: &Path, writable: bool) -> PathBuf {
        if let Some(known) = self.current().granted.get_mut(path) {
            known.writable |= writable;
            return known.target.clone();
        }
        let target = resolved(path);
        let mut current = self.current();
        let known = current.granted.entry(path.to_owned()).or_insert(GrantedPath { target, writable });
        known.writable |= writable;
        known.target.clone()
    }

    /// The first of the paths, which have no links, that holds a private one, or lies in one.
    pub(super) fn exposed<'a>(&self, paths: impl IntoIterator<Item = &'a PathBuf>) -> Option<Exposed> {
        self.current().exposed(paths)
    }

    /// Follows the links of the search path again, and of all paths at a reload. What is not there at the moment stays
    /// what it was: a link that is being replaced may be missing for an instant. Gives how often a path has come to lead
    /// elsewhere since the start.
    pub(super) fn follow(&self, reload: bool) -> u64 {
        let _alone = self.following.lock().unwrap_or_else(PoisonError::into_inner);
        let again = |path: &Path, before: &Path| path.canonicalize().unwrap_or_else(|_| before.to_owned());
        let before = self.current().clone();
        let mut next = before.clone();
        if reload {
            next.private =
                self.private.iter().zip(&before.private).map(|(path, was)| again(path, was)).collect();
            let writable: Vec<_> = before
                .granted
                .values()
                .filter(|granted| granted.writable)
                .map(|granted| granted.target.as_path())
                .collect();
            for (path, granted) in &mut next.granted {
                if !passes_through(path, &writable) {
                    granted.target = again(path, &granted.target);
                }
            }
        }
        next.folders =
            self.search_path.iter().zip(before.folders.iter()).map(|(path, was)| again(path, was)).collect();
        next.refused = next.exposed(next.folders.iter());
        if let Some(exposed) = &next.refused {
            if before.refused != next.refused {
                tracing::error!("[Runners] SearchPath stays as it was: {exposed}");
            }
            next.folders = before.folders.clone();
        }
        let mut current = self.current();
        next.changes += u64::from(next.folders != before.folders || next.granted != before.granted);
        // What was asked for meanwhile has been looked at just now.
        for (path, granted) in &current.granted {
            next.granted.entry(path.clone()).or_insert_with(|| granted.clone()).writable |= granted.writable;
        }
        *current = next;
        current.changes
    }

    fn current(&self) -> MutexGuard<'_, Resolution> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The most links that one path may pass, as in the kernel.
const LINKS: usize = 40;

/// True when something on the way of the path stands in one of these folders, where whoever may write could put a link.
fn passes_through(path: &Path, folders: &[&Path]) -> bool {
    let mut here = PathBuf::from("/");
    let mut ahead: Vec<OsString> = path.components().rev().map(|part| part.as_os_str().to_owned()).collect();
    let mut links = 0;
    while let Some(part) = ahead.pop() {
        if folders.iter().any(|folder| here.starts_with(folder)) {
            return true;
        }
        let next = here.join(&part);
        match next.read_link() {
            Ok(target) if links < LINKS => {
                links += 1;
                ahead.extend(target.components().rev().map(|part| part.as_os_str().to_owned()));
            }
            _ if part == ".." => drop(here.pop()),
            _ if part == "." => {}
            _ => here = next,
        }
    }
    false
}

impl Resolution {
    fn exposed<'a>(&self, paths: impl IntoIterator<Item = &'a PathBuf>) -> Option<Exposed> {
        paths.into_iter().find_map(|path| {
            let private =
                self.private.iter().find(|private| private.starts_with(path) || path.starts_with(private))?;
            Some(Exposed { path: path.display().to_string(), private: private.display().to_string() })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_folder_follows_its_link_at_once_and_what_functions_were_given_at_a_reload() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        for name in ["one", "two", "keys"] {
            fs::create_dir(at(name)).unwrap();
        }
        let to = |target: &str| {
            symlink(target, at("next")).unwrap();
            fs::rename(at("next"), at("now")).unwrap();
        };
        to("one");
        let paths = PathTable::new(vec![at("now")], vec![at("keys")]);
        assert_eq!((&*paths.folders(), paths.granted(&at("now"), false)), (&[at("one")][..], at("one")));
        assert_eq!(paths.follow(true), 0);
        to("two");
        assert_eq!(paths.follow(false), 1);
        assert_eq!((&*paths.folders(), paths.granted(&at("now"), false)), (&[at("two")][..], at("one")));
        assert_eq!(paths.follow(true), 2);
        assert_eq!(paths.granted(&at("now"), false), at("two"));
        // Between two releases, and where no function may read.
        for target in ["nowhere", "keys"] {
            to(target);
            assert_eq!(paths.follow(false), 2);
            assert_eq!(&*paths.folders(), [at("two")]);
        }
        let granted = paths.granted(&at("keys"), false);
        assert!(paths.exposed([&granted]).is_some());
    }

    #[test]
    fn a_link_that_a_function_can_turn_is_never_followed_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().canonicalize().unwrap().join(name);
        for name in ["data/one", "data/two", "secret"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        symlink("one", at("data/current")).unwrap();
        // The operator's link, whose way leads through the function's folder.
        symlink("data/current", at("through")).unwrap();
        symlink("data/one", at("beside")).unwrap();
        let paths = PathTable::new(Vec::new(), Vec::new());
        paths.granted(&at("data"), true);
        for name in ["data/current", "through", "beside"] {
            assert_eq!(paths.granted(&at(name), false), at("data/one"), "{name}");
        }
        for (link, target) in [("data/current", "../secret"), ("data/one", "../secret")] {
            fs::rename(at(link), at("data/moved-away")).unwrap();
            symlink(target, at(link)).unwrap();
            fs::remove_file(at("data/moved-away"))
                .or_else(|_| fs::remove_dir(at("data/moved-away")))
                .unwrap();
            assert_eq!(paths.follow(true), 0);
            for name in ["data/current", "through", "beside"] {
                assert_eq!(paths.granted(&at(name), false), at("data/one"), "{name}");
            }
        }
    }
}
