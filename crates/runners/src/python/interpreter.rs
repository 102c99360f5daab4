//! Which Python it is, and what it needs to read.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::spawn::output;

/// Where the interpreter itself says that it is. It imports nothing that was installed, so no code of packages runs.
const WHERE: &str = "import sys
print(sys.executable, sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix,
      '/etc/python%d.%d' % sys.version_info[:2], sep='\\0', end='')";

/// An interpreter as it was found.
#[derive(Debug, Clone)]
pub(crate) struct Interpreter {
    /// The program: behind a script that chooses one, what it has chosen.
    pub(super) program: PathBuf,
    /// The folders it and its packages lie in.
    pub(super) roots: Vec<PathBuf>,
}

impl Interpreter {
    /// Asks the interpreter of this name or path.
    ///
    /// # Errors
    /// Why it does not answer, for the log.
    pub(super) async fn find(named: &Path) -> Result<Self, String> {
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
        roots.sort_unstable();
        roots.dedup();
        Ok(Self { program, roots })
    }
}
