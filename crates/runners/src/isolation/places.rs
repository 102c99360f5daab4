//! Where the paths of the settings lead.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Exposed;
use super::files::settled;

/// The paths of the settings, without links. A link of the operator's is followed again at each reload, that of a folder
/// of the search path whenever files are looked at. No link is followed when a process starts: one that a function puts
/// in the place of a path leads nowhere.
#[derive(Debug)]
pub(super) struct Places {
    search_path: Vec<PathBuf>,
    private: Vec<PathBuf>,
    now: Mutex<Now>,
}

/// Where they lead now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Now {
    folders: Arc<[PathBuf]>,
    /// What no function may reach.
    private: Vec<PathBuf>,
    /// What functions were given.
    given: HashMap<PathBuf, PathBuf>,
    /// How often one of these has come to lead elsewhere.
    moves: u64,
    /// Why the search path stays as it was, although it leads elsewhere.
    refused: Option<Exposed>,
}

impl Places {
    /// They need not exist yet.
    pub(super) fn new(search_path: Vec<PathBuf>, private: Vec<PathBuf>) -> Self {
        let now = Now {
            folders: search_path.iter().map(|path| settled(path)).collect(),
            private: private.iter().map(|path| settled(path)).collect(),
            ..Now::default()
        };
        Self { search_path, private, now: Mutex::new(now) }
    }

    /// The folders of the search path.
    pub(super) fn folders(&self) -> Arc<[PathBuf]> {
        self.now().folders.clone()
    }

    /// Where a path led when it was first asked for since the last reload.
    pub(super) fn given(&self, path: &Path) -> PathBuf {
        self.now().given.entry(path.to_owned()).or_insert_with(|| settled(path)).clone()
    }

    /// The first of the paths, which have no links, that holds a private one, or lies in one.
    pub(super) fn exposed<'a>(&self, paths: impl IntoIterator<Item = &'a PathBuf>) -> Option<Exposed> {
        self.now().exposed(paths)
    }

    /// Follows the links of the search path again, and of all paths at a reload. What is not there at the
    /// moment stays what it was: a link that is being replaced may be missing for an instant. Gives how often a path has
    /// come to lead elsewhere since the start.
    pub(super) fn follow(&self, reload: bool) -> u64 {
        let again = |path: &Path, before: &Path| path.canonicalize().unwrap_or_else(|_| before.to_owned());
        let mut now = self.now();
        let mut next = now.clone();
        if reload {
            next.private =
                self.private.iter().zip(&now.private).map(|(path, was)| again(path, was)).collect();
            next.given.iter_mut().for_each(|(path, leads)| *leads = again(path, leads));
        }
        next.folders =
            self.search_path.iter().zip(now.folders.iter()).map(|(path, was)| again(path, was)).collect();
        next.refused = next.exposed(next.folders.iter());
        if let Some(exposed) = &next.refused {
            if now.refused != next.refused {
                tracing::error!("[Runners] SearchPath stays as it was: {exposed}");
            }
            next.folders = now.folders.clone();
        }
        next.moves += u64::from(next.folders != now.folders || next.given != now.given);
        *now = next;
        now.moves
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Now {
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
        let places = Places::new(vec![at("now")], vec![at("keys")]);
        assert_eq!((&*places.folders(), places.given(&at("now"))), (&[at("one")][..], at("one")));
        assert_eq!(places.follow(true), 0);
        to("two");
        assert_eq!(places.follow(false), 1);
        assert_eq!((&*places.folders(), places.given(&at("now"))), (&[at("two")][..], at("one")));
        assert_eq!(places.follow(true), 2);
        assert_eq!(places.given(&at("now")), at("two"));
        // Between two releases, and where no function may read.
        for target in ["nowhere", "keys"] {
            to(target);
            assert_eq!(places.follow(false), 2);
            assert_eq!(&*places.folders(), [at("two")]);
        }
        let given = places.given(&at("keys"));
        assert!(places.exposed([&given]).is_some());
    }
}
