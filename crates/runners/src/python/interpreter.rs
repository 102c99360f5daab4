//! Which Python it is, and what it needs to read.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::isolation::resolved;
use crate::spawn::output;

/// Where the interpreter itself says that it is. It imports nothing that was installed, so no code of packages runs.
const WHERE: &str = "import sys
print(sys.executable, sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix,
      '/etc/python%d.%d' % sys.version_info[:2], sep='\\0', end='')";

/// The interpreter of the settings.
#[derive(Debug, Default)]
pub(crate) struct Python {
    named: PathBuf,
    found: Mutex<Option<Arc<Interpreter>>>,
}

/// An interpreter as it was found.
#[derive(Debug)]
pub(crate) struct Interpreter {
    /// As the settings name it.
    pub(super) named: PathBuf,
    /// The program: behind a script that chooses one, what it has chosen.
    pub(super) program: PathBuf,
    /// The folders it and its packages lie in, without links.
    pub(super) roots: Vec<PathBuf>,
    /// The program without links.
    file: PathBuf,
}

impl Python {
    /// The one of this path, or of this name in PATH.
    pub(crate) fn new(named: PathBuf) -> Self {
        Self { named, found: Mutex::default() }
    }

    /// As it was named.
    pub(super) fn named(&self) -> &Path {
        &self.named
    }

    /// The interpreter; it is asked again when its path has come to lead elsewhere.
    ///
    /// # Errors
    /// Why it does not answer, for the log.
    pub(super) async fn interpreter(&self) -> Result<Arc<Interpreter>, String> {
        let mut found = self.found.lock().await;
        if let Some(known) = found.as_ref().filter(|known| resolved(&known.program) == known.file) {
            return Ok(known.clone());
        }
        let asked = Arc::new(Interpreter::ask(&self.named).await?);
        *found = Some(asked.clone());
        Ok(asked)
    }
}

impl Interpreter {
    async fn ask(named: &Path) -> Result<Self, String> {
        let arguments = ["-I", "-S", "-c", WHERE].map(OsStr::new);
        let told = output(named, &arguments).await?;
        let told = String::from_utf8(told).map_err(|_| "it lies at a path that is not UTF-8".to_owned())?;
        let mut places = told.split('\0').map(PathBuf::from);
        let program = places.next().filter(|program| program.is_absolute());
        let program = program.ok_or("it does not say where it is")?;
        let mut roots: Vec<_> = places.collect();
        // Without its packages a virtual environment is known by the file beside its programs.
        let environment = program.parent().and_then(Path::parent);
        roots.extend(environment.filter(|folder| folder.join("pyvenv.cfg").is_file()).map(Path::to_owned));
        roots.iter_mut().for_each(|root| *root = resolved(root));
        roots.sort_unstable();
        roots.dedup();
        let file = resolved(&program);
        Ok(Self { named: named.to_owned(), program, roots, file })
    }
}
