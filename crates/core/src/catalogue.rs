//! The functions that exist now.

use std::collections::BTreeMap;
use std::sync::Arc;

use msp_protocol::FunctionName;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::access::{Access, Origin, Route};
use crate::confinement_spec::ConfinementSpec;
use crate::grant::Grants;
use crate::limits::FunctionLimits;
use crate::namespace::Namespace;
use crate::runner::Runner;
use crate::tally::Tally;

/// An argument that a function says it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Its type as JSON Schema names it, when it is known: `string`, `integer`, `number`, `boolean`, `array`, `object`.
    pub kind: Option<String>,
    /// Whether a call must have it.
    pub required: bool,
}

/// What runs a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunnerKind {
    /// A program, started for each call.
    Executable,
    /// Compiled into the server.
    Native,
    /// A module in a long-lived Python worker.
    Python,
    /// A WebAssembly module, interpreted with a fresh instance for each call.
    Wasm,
}

/// One function with its runner and limits.
#[derive(Debug, Clone)]
pub struct Function {
    /// The name callers use.
    pub name: FunctionName,
    /// Under which it is called over REST.
    pub namespace: Namespace,
    /// What a call may change.
    pub access: Access,
    /// True when the operator opened a function that writes to the classic shape (`Classic=yes`).
    pub classic_write: bool,
    /// For people; may be empty.
    pub description: String,
    /// What it was made of, for the operator: `modules.ini: simple_time`, `cpuinfo.py`.
    pub source: Arc<str>,
    /// The arguments it says it takes; empty when it says nothing.
    pub arguments: Vec<Argument>,
    /// Its REST route `/<name>`, if it has one.
    pub route: Option<Route>,
    /// Where it comes from.
    pub origin: Origin,
    /// What kind of runner it has.
    pub kind: RunnerKind,
    /// Its limits.
    pub limits: FunctionLimits,
    /// What runs it.
    pub runner: Arc<dyn Runner>,
    /// One slot for each call under way.
    pub slots: Arc<Semaphore>,
    /// Counts the calls that brought an answer; see [`crate::successes`].
    pub succeeded: metrics::Counter,
    /// What became of its calls.
    pub tally: Arc<Tally>,
}

impl Function {
    /// True when these grants cover it.
    #[must_use]
    pub fn is_covered_by(&self, grants: &Grants) -> bool {
        grants.cover(&self.name, self.origin, self.access)
    }
}

/// A function that is configured and does not exist as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingFunction {
    /// What it is to be made of, as [`Function::source`].
    pub source: Arc<str>,
    /// Where it would come from.
    pub origin: Origin,
    /// Why it does not load; none while it loads for the first time.
    pub why: Option<Arc<str>>,
}

/// One line of modules.ini with its section: a function that is to exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModuleSpec {
    /// The name callers use, lower-cased.
    pub function: FunctionName,
    /// Under which it is called over REST.
    pub namespace: Namespace,
    /// The module's name, without ending; may be dotted, holds no `/`.
    pub module: String,
    /// What a call may change.
    pub access: Access,
    /// True when a function that writes is open to the classic shape.
    pub classic_write: bool,
    /// One line for people; may be empty.
    pub description: String,
    /// Its limits.
    pub limits: FunctionLimits,
    /// What its process may reach.
    pub confinement: ConfinementSpec,
    /// Its REST route, if it is to have one.
    pub route: Option<Route>,
}

/// The functions that exist now, by name, and those that should; never changed, only replaced as a whole.
#[derive(Debug, Default)]
pub struct Catalogue {
    functions: BTreeMap<FunctionName, Arc<Function>>,
    missing: BTreeMap<FunctionName, MissingFunction>,
}

impl Catalogue {
    /// The functions, and what keeps others, or newer ones of the same name, from existing.
    pub fn new(
        functions: impl IntoIterator<Item = Arc<Function>>,
        missing: impl IntoIterator<Item = (FunctionName, MissingFunction)>,
    ) -> Self {
        Self {
            functions: functions.into_iter().map(|function| (function.name.clone(), function)).collect(),
            missing: missing.into_iter().collect(),
        }
    }

    /// What keeps the function of this name from existing as it is configured. A file of plugins goes by its own name
    /// as long as nobody knows how its plugins are called.
    #[must_use]
    pub fn missing(&self, name: &FunctionName) -> Option<&MissingFunction> {
        self.missing.get(name)
    }

    /// All missing functions in the order of their names.
    pub fn missing_functions(&self) -> impl Iterator<Item = (&FunctionName, &MissingFunction)> {
        self.missing.iter()
    }

    /// True when there is no such function yet, and what loads may bring it: its module, or any file of plugins.
    #[must_use]
    pub fn may_come(&self, name: &FunctionName) -> bool {
        let loading = |missing: &MissingFunction| missing.why.is_none();
        !self.functions.contains_key(name)
            && (self.missing(name).is_some_and(loading)
                || self.missing.values().any(|missing| missing.origin == Origin::Plugins && loading(missing)))
    }

    /// The function of exactly this name.
    #[must_use]
    pub fn find(&self, name: &FunctionName) -> Option<&Arc<Function>> {
        self.functions.get(name)
    }

    /// The function of exactly this name, if it is called under exactly this namespace. What is built in has its
    /// namespace in its name as well (`msp/ping`).
    #[must_use]
    pub fn find_in(&self, namespace: &str, name: &FunctionName) -> Option<&Arc<Function>> {
        self.find(name).filter(|function| function.namespace.as_str() == namespace)
    }

    /// All functions in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Function>> {
        self.functions.values()
    }
}
