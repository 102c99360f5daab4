//! The modules that a worker is to load, and what it reports on them.
//!
//! While a worker loads it already runs the code of modules, which can write reports of its own making. So it
//! is known at any time which report is next, and any other ends the worker, at the cost of the source that
//! was loading. This bounds the number of reports, the memory they take, and the time until the last one.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::python::answer::{description, message};
use crate::python::process::{Fault, Progress, Reports};

/// The longest report on one source, in bytes: more than the worker's own need, however much JSON escapes.
const SOURCE_REPORT: usize = 128 * 1024;
/// The longest last report, in bytes; it holds the helpers.
const LAST_REPORT: usize = 64 * 1024 * 1024;

/// A Python module that modules.ini lists, where discovery has found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its dotted name.
    pub(crate) name: String,
    /// Its file.
    pub(crate) path: PathBuf,
    /// True for a package's `__init__.py`.
    pub(crate) package: bool,
}

/// A module to load, with its sources in the order they are tried.
#[derive(Debug, Serialize)]
pub(super) struct Candidate {
    name: String,
    path: String,
    package: bool,
    sources: Vec<Arc<str>>,
}

impl Candidate {
    pub(super) fn new(listed: &Listed, sources: Vec<Arc<str>>) -> Self {
        let path = listed.path.to_string_lossy().into_owned();
        Self { name: listed.name.clone(), path, package: listed.package, sources }
    }
}

/// How many sources there are to try.
pub(super) fn sources(candidates: &[Candidate]) -> usize {
    candidates.iter().map(|candidate| candidate.sources.len()).sum()
}

/// Leaves this source out, and a module that has no other; the module's name, unless there is no such source.
pub(super) fn remove_source(candidates: &mut Vec<Candidate>, position: Position) -> Option<String> {
    let candidate = candidates.get_mut(position.module)?;
    if position.attempt >= candidate.sources.len() {
        return None;
    }
    candidate.sources.remove(position.attempt);
    let name = candidate.name.clone();
    candidates.retain(|candidate| !candidate.sources.is_empty());
    Some(name)
}

/// Another module of the search path that was imported: name, path, whether it is a package, source.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Helper(String, String, bool, Arc<str>);

/// One report of a worker that loads.
#[derive(Deserialize)]
#[serde(untagged)]
enum Report {
    Failed { failed: String, attempt: usize, error: String },
    Loaded { loaded: String, attempt: usize, asynchronous: bool, description: String },
    Loading { loading: String, attempt: usize },
    Ready { helpers: Vec<Helper> },
}

/// A source that loads.
#[derive(Debug)]
pub(super) struct LoadedModule {
    pub(super) source: Arc<str>,
    /// Whether its `entry_call` is asynchronous.
    pub(super) asynchronous: bool,
    /// The first line of its docstring.
    pub(super) description: String,
}

/// What came of loading.
#[derive(Debug, Default)]
pub(super) struct LoadReport {
    /// What each module loaded from.
    pub(super) loaded: BTreeMap<String, LoadedModule>,
    /// Everything else of the search path that was imported.
    pub(super) helpers: Vec<Helper>,
    failures: Vec<(String, String)>,
}

impl LoadReport {
    /// The modules that did not load from their first source, each with the error of its first try.
    pub(super) fn first_failures(&self) -> BTreeMap<&str, &str> {
        self.failures.iter().rev().map(|(module, error)| (module.as_str(), error.as_str())).collect()
    }
}

/// The position of a source among the candidates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    module: usize,
    attempt: usize,
}

/// The reports of one worker on its candidates, each checked against the one that is due.
pub(super) struct ModuleLoads<'a> {
    candidates: &'a [Candidate],
    /// The source that is next, or loads; behind the last module when only the last report is missing.
    position: Position,
    /// True when that source loads, so that its outcome is the next report.
    started: bool,
    /// The source that began last, and so the culprit when the worker fails.
    pub(super) culprit: Option<Position>,
    pub(super) report: LoadReport,
}

impl<'a> ModuleLoads<'a> {
    /// Begins with the first source; the failures are those of workers before this one.
    pub(super) fn new(candidates: &'a [Candidate], failures: Vec<(String, String)>) -> Self {
        Self {
            candidates,
            position: Position { module: 0, attempt: 0 },
            started: false,
            culprit: None,
            report: LoadReport { failures, ..LoadReport::default() },
        }
    }

    fn take_report(&mut self, report: Report) -> Result<Progress, &'static str> {
        let module = self.candidates.get(self.position.module);
        let source = |name: &str| {
            module.filter(|module| module.name == name)?.sources.get(self.position.attempt).cloned()
        };
        match report {
            Report::Ready { helpers } if module.is_none() => {
                self.report.helpers = helpers;
                Ok(Progress::Done)
            }
            Report::Loading { loading, attempt }
                if !self.started && attempt == self.position.attempt && source(&loading).is_some() =>
            {
                (self.started, self.culprit) = (true, Some(self.position));
                Ok(Progress::Restarts)
            }
            Report::Failed { failed, attempt, error }
                if self.started && attempt == self.position.attempt && source(&failed).is_some() =>
            {
                self.report.failures.push((failed, message(error.as_bytes())));
                let left = module.is_some_and(|module| attempt + 1 < module.sources.len());
                Ok(self.advance(left))
            }
            Report::Loaded { loaded, attempt, asynchronous, description }
                if self.started && attempt == self.position.attempt =>
            {
                let source = source(&loaded).ok_or(NOT_DUE)?;
                let description = self::description(&description);
                self.report.loaded.insert(loaded, LoadedModule { source, asynchronous, description });
                Ok(self.advance(false))
            }
            _ => Err(NOT_DUE),
        }
    }

    /// Goes on to the module's next source if one is left to try, else to the next module.
    fn advance(&mut self, left: bool) -> Progress {
        let Position { module, attempt } = self.position;
        self.position = if left {
            Position { module, attempt: attempt + 1 }
        } else {
            Position { module: module + 1, attempt: 0 }
        };
        self.started = false;
        // The last report, which holds all helpers, has a time of its own.
        if self.position.module < self.candidates.len() { Progress::Continues } else { Progress::Restarts }
    }
}

impl Reports for ModuleLoads<'_> {
    const TIMEOUT_KEY: &'static str = "LoadTimeout";
    const ENDED: &'static str = "the worker ended";
    const TOO_LONG: &'static str = "a report is too long";
    const TIMES_COMMAND: bool = false;

    fn longest(&self) -> usize {
        if self.position.module < self.candidates.len() { SOURCE_REPORT } else { LAST_REPORT }
    }

    fn take(&mut self, report: &[u8]) -> Result<Progress, Fault> {
        let report =
            serde_json::from_slice(report).map_err(|error| format!("a report is unreadable: {error}"))?;
        Ok(self.take_report(report)?)
    }
}

const NOT_DUE: &str = "it sent a report that was not due";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};
    use tokio::io::{AsyncRead, AsyncWriteExt, sink};
    use tokio::time::sleep;

    use super::*;
    use crate::python::process::exchange::{after, no_calls, run};
    use crate::python::process::frame::{CONTROL, ReadBuffer, append};
    use crate::python::process::load::Load;

    const LOAD: Duration = Duration::from_secs(30);

    /// Modules by name, each with so many sources.
    fn candidates(modules: &[(&str, usize)]) -> Vec<Candidate> {
        let candidate = |(name, sources): &(&str, usize)| Candidate {
            name: (*name).to_owned(),
            path: String::new(),
            package: false,
            sources: (0..*sources).map(|source| source.to_string().into()).collect(),
        };
        modules.iter().map(candidate).collect()
    }

    fn loading(module: &str, attempt: usize) -> Value {
        json!({ "loading": module, "attempt": attempt })
    }

    fn failed(module: &str, attempt: usize, error: &str) -> Value {
        json!({ "failed": module, "attempt": attempt, "error": error })
    }

    fn loaded(module: &str, attempt: usize) -> Value {
        json!({ "loaded": module, "attempt": attempt, "asynchronous": false, "description": "d" })
    }

    fn ready() -> Value {
        json!({ "ready": true, "helpers": [] })
    }

    fn frames(reports: &[Value]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for report in reports {
            append(&mut bytes, CONTROL, report.to_string().as_bytes());
        }
        bytes
    }

    async fn follow(loads: &mut ModuleLoads<'_>, worker: impl AsyncRead + Unpin) -> Result<(), String> {
        let mut load = Load::new(Vec::new(), LOAD, loads);
        let mut input = ReadBuffer::default();
        let never = std::future::pending();
        let followed = run(worker, sink(), &mut input, never, &mut load, &mut no_calls()).await;
        followed.map_err(|failure| failure.to_string())
    }

    #[tokio::test]
    async fn each_source_is_tried_until_one_of_its_module_loads() {
        let candidates = candidates(&[("a", 2), ("b", 3), ("c", 1)]);
        let mut loads = ModuleLoads::new(&candidates, Vec::new());
        let reports = [
            loading("a", 0),
            loaded("a", 0),
            loading("b", 0),
            failed("b", 0, "first"),
            loading("b", 1),
            loaded("b", 1),
            loading("c", 0),
            failed("c", 0, "only"),
            ready(),
        ];
        assert_eq!(follow(&mut loads, &*frames(&reports)).await, Ok(()));
        let loaded: Vec<_> =
            loads.report.loaded.iter().map(|(name, sound)| (&**name, &*sound.source)).collect();
        assert_eq!(loaded, [("a", "0"), ("b", "1")]);
        let failures: Vec<_> = loads.report.first_failures().into_iter().collect();
        assert_eq!(failures, [("b", "first"), ("c", "only")]);
    }

    #[tokio::test]
    async fn a_report_that_is_not_due_ends_the_worker_at_the_cost_of_the_source_that_began_last() {
        let candidates = candidates(&[("a", 1), ("b", 2), ("c", 1)]);
        let before = [loading("a", 0), loaded("a", 0), loading("b", 0)];
        let position = Some(Position { module: 1, attempt: 0 });
        for forged in [
            vec![loading("nosuch", 0)],
            vec![loading("b", 0)],
            vec![loading("b", 7)],
            vec![loading("c", 0)],
            vec![failed("nosuch", 0, "")],
            vec![failed("a", 0, "")],
            vec![failed("b", 1, "")],
            vec![failed("b", 0, ""), failed("b", 0, "")],
            vec![loaded("nosuch", 0)],
            vec![loaded("c", 0)],
            vec![loaded("b", 1)],
            vec![loaded("b", 0), loaded("b", 0)],
            vec![ready()],
        ] {
            let mut loads = ModuleLoads::new(&candidates, Vec::new());
            let reports = [&before[..], &forged].concat();
            assert_eq!(follow(&mut loads, &*frames(&reports)).await, Err(NOT_DUE.to_owned()), "{forged:?}");
            assert_eq!(loads.culprit, position, "{forged:?}");
        }
    }

    #[tokio::test]
    async fn only_the_last_report_may_be_long_and_of_an_error_only_the_beginning_is_kept() {
        let candidates = candidates(&[("a", 1)]);
        let mut loads = ModuleLoads::new(&candidates, Vec::new());
        let mut helpers = ready();
        helpers["helpers"] = json!([["h", "h.py", false, "x".repeat(SOURCE_REPORT)]]);
        let reports = [loading("a", 0), failed("a", 0, &"x".repeat(SOURCE_REPORT - 100)), helpers];
        assert_eq!(follow(&mut loads, &*frames(&reports)).await, Ok(()));
        assert_eq!(loads.report.failures[0].1.len(), 16 * 1024);
        assert_eq!(loads.report.helpers.len(), 1);

        let mut loads = ModuleLoads::new(&candidates, Vec::new());
        let reports = [loading("a", 0), failed("a", 0, &"x".repeat(SOURCE_REPORT))];
        assert_eq!(follow(&mut loads, &*frames(&reports)).await, Err("a report is too long".into()));
    }

    #[tokio::test]
    async fn a_frame_that_is_no_report_ends_the_worker() {
        let mut bytes = Vec::new();
        append(&mut bytes, 1, b"{}");
        let candidates = candidates(&[("a", 1)]);
        let mut loads = ModuleLoads::new(&candidates, Vec::new());
        let followed = follow(&mut loads, &*bytes).await;
        assert_eq!(followed, Err("it answered before it was asked".into()));
        assert_eq!(loads.culprit, None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_has_its_time_however_often_its_worker_writes() {
        let candidates = candidates(&[("a", 1), ("b", 1)]);
        let mut loads = ModuleLoads::new(&candidates, Vec::new());
        let (mut worker, server) = tokio::io::duplex(1024);
        let writes = async {
            sleep(LOAD - Duration::from_secs(1)).await;
            worker.write_all(&frames(&[loading("a", 0)])).await.unwrap();
            for byte in frames(&[loaded("a", 0)]) {
                sleep(LOAD / 100).await;
                worker.write_all(&[byte]).await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let start = after(Duration::ZERO);
        let followed = tokio::select! {
            followed = follow(&mut loads, server) => followed,
            () = writes => unreachable!(),
        };
        assert_eq!(followed, Err("it took longer than 30 s, which is its LoadTimeout".to_owned()));
        let took = after(Duration::ZERO) - start;
        assert!(took < LOAD * 2 + Duration::from_secs(1), "{took:?}");
        assert_eq!(loads.culprit, Some(Position { module: 0, attempt: 0 }));
    }

    #[tokio::test(start_paused = true)]
    async fn reports_that_were_sent_in_time_count_though_the_server_comes_to_them_late() {
        let candidates = candidates(&[("a", 1)]);
        let mut loads = ModuleLoads::new(&candidates, Vec::new());
        let (mut worker, server) = tokio::io::duplex(1024);
        worker.write_all(&frames(&[loading("a", 0), loaded("a", 0), ready()])).await.unwrap();
        let mut load = Load::new(Vec::new(), LOAD, &mut loads);
        tokio::time::advance(LOAD * 2).await;
        let mut input = ReadBuffer::default();
        let never = std::future::pending();
        let followed = run(server, sink(), &mut input, never, &mut load, &mut no_calls()).await;
        assert_eq!(followed, Ok(()));
        assert!(loads.report.loaded.contains_key("a"));
    }

    #[test]
    fn a_source_is_left_out_with_its_module_when_there_is_no_other() {
        let mut candidates = candidates(&[("a", 1), ("b", 2)]);
        assert_eq!(remove_source(&mut candidates, Position { module: 1, attempt: 0 }), Some("b".into()));
        assert_eq!(candidates[1].sources, [Arc::<str>::from("1")]);
        assert_eq!(remove_source(&mut candidates, Position { module: 0, attempt: 0 }), Some("a".into()));
        assert_eq!(sources(&candidates), 1);
        for (module, attempt) in [(0, 1), (1, 0)] {
            assert_eq!(remove_source(&mut candidates, Position { module, attempt }), None);
        }
        assert_eq!(sources(&candidates), 1);
    }
}
