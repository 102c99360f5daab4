//! From the lines of modules.ini to the catalogue.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use msp_core::{Catalogue, Function, MissingFunction, ModuleSpec, Origin, Runner, RunnerKind};
use msp_protocol::FunctionName;
use tokio::sync::Semaphore;

use crate::discovery::{Found, find, program_fault};
use crate::executable::Executable;
use crate::isolation::{Confinement, Isolation};
use crate::native::Natives;
use crate::python::{Demands, Listed, WorkerPools};
use crate::tallies::Tallies;
use crate::tasks::Tasks;
use crate::wasm::{self, Modules, WasmContext, WasmRunner};

/// One line of modules.ini and what it means now.
#[derive(Debug)]
pub(crate) struct Entry {
    spec: ModuleSpec,
    what: Implementation,
}

#[derive(Debug)]
enum Implementation {
    Executable(PathBuf, Arc<Confinement>),
    Native(Arc<dyn Runner>),
    Python(Listed),
    Wasm(PathBuf),
}

/// The lines of modules.ini as they were understood last.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) entries: Vec<Entry>,
    /// What cannot be loaded, and why.
    pub(crate) missing: Vec<(ModuleSpec, Arc<str>)>,
}

/// What the functions of a catalogue run with.
#[derive(Debug)]
pub(crate) struct SharedParts {
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) isolation: Arc<Isolation>,
    pub(crate) wasm_context: Arc<WasmContext>,
    pub(crate) natives: Natives,
    pub(crate) python: WorkerPools,
    pub(crate) built_in: Vec<Arc<Function>>,
    pub(crate) tallies: Arc<Tallies>,
}

impl SharedParts {
    /// Looks each module up.
    pub(crate) fn look_up(&self, specs: &[ModuleSpec], wasm: &Modules) -> Plan {
        let (mut plan, folders) = (Plan::default(), self.isolation.folders());
        for spec in specs {
            match self.find(&folders, spec, wasm) {
                Ok(what) => plan.entries.push(Entry { spec: spec.clone(), what }),
                Err(why) => plan.missing.push((spec.clone(), why.into())),
            }
        }
        plan
    }

    /// A Python or WebAssembly module that is in use stays so when its file has gone.
    fn find(&self, folders: &[PathBuf], spec: &ModuleSpec, wasm: &Modules) -> Result<Implementation, String> {
        if self.built_in.iter().any(|function| function.name == spec.function) {
            return Err("a function of this name is built in".to_owned());
        }
        match find(folders, &spec.module) {
            Ok(Found::Python { path, package }) => {
                Ok(Implementation::Python(Listed { name: spec.module.clone(), path, package }))
            }
            Ok(Found::Executable(path)) => {
                if let Some(fault) = program_fault(&path) {
                    return Err(fault);
                }
                let memory = spec.limits.memory.unwrap_or(Executable::MEMORY);
                let confinement = self.isolation.confinement(memory, &spec.confinement, &[]);
                let confinement = confinement.map_err(|exposed| format!("Paths: {exposed}"))?;
                Ok(Implementation::Executable(path, Arc::new(confinement)))
            }
            Ok(Found::Wasm(path)) => Ok(Implementation::Wasm(path)),
            Err(error) => {
                let native = self.natives.find(&spec.module).map(Implementation::Native);
                let in_use = || self.python.listed(spec).map(Implementation::Python);
                let compiled = || wasm.path(&spec.module).map(Implementation::Wasm);
                native.or_else(in_use).or_else(compiled).ok_or_else(|| error.to_string())
            }
        }
    }
}

/// The Python modules of the entries for each pool, each once, in the order of their names.
pub(crate) fn python_modules(entries: &[Entry]) -> BTreeMap<Demands, Vec<Listed>> {
    let mut pools: BTreeMap<Demands, BTreeMap<&str, &Listed>> = BTreeMap::new();
    for entry in entries {
        if let Implementation::Python(listed) = &entry.what {
            pools.entry(Demands::of(&entry.spec)).or_default().insert(&listed.name, listed);
        }
    }
    let in_order = |modules: BTreeMap<_, &Listed>| modules.into_values().cloned().collect();
    pools.into_iter().map(|(demands, modules)| (demands, in_order(modules))).collect()
}

/// The WebAssembly modules of the entries, each once, with the largest memory that a function gives it.
pub(crate) fn wasm_modules(entries: &[Entry]) -> Vec<wasm::Listed> {
    let mut modules = BTreeMap::<_, wasm::Listed>::new();
    for Entry { spec, what } in entries {
        if let Implementation::Wasm(path) = what {
            let memory = wasm::memory(&spec.limits);
            let new = || wasm::Listed { name: spec.module.clone(), path: path.clone(), memory };
            let listed = modules.entry(&spec.module).or_insert_with(new);
            listed.memory = listed.memory.max(memory);
        }
    }
    modules.into_values().collect()
}

/// The functions of the modules, and what keeps others from existing.
#[derive(Debug, Default)]
pub(crate) struct Assembled {
    pub(crate) functions: Vec<Arc<Function>>,
    pub(crate) missing: Vec<(FunctionName, MissingFunction)>,
}

/// What runs a function, if its module has loaded, and why it does not load as it is now.
struct Binding {
    runner: Option<(RunnerKind, Arc<dyn Runner>)>,
    description: String,
    why: Option<Arc<str>>,
}

impl SharedParts {
    /// Makes the functions of the modules that have loaded. One that was in the catalogue before keeps its slots, so
    /// that calls under way count.
    pub(crate) fn assemble(&self, plan: &Plan, wasm: &Modules, before: &Catalogue) -> Assembled {
        let mut assembled = Assembled::default();
        for (spec, why) in &plan.missing {
            assembled.add_missing(spec, Some(why.clone()));
        }
        for Entry { spec, what } in &plan.entries {
            let Binding { runner, description, why } = self.bind(spec, what, wasm);
            if runner.is_none() || why.is_some() {
                assembled.add_missing(spec, why);
            }
            let Some((kind, runner)) = runner else { continue };
            let most = spec.limits.max_concurrent;
            let slots = before.find(&spec.function).filter(|same| same.limits.max_concurrent == most);
            assembled.functions.push(Arc::new(Function {
                succeeded: msp_core::successes(&spec.function),
                tally: self.tallies.of(&spec.function),
                name: spec.function.clone(),
                namespace: spec.namespace.clone(),
                access: spec.access,
                classic_write: spec.classic_write,
                description: if spec.description.is_empty() { description } else { spec.description.clone() },
                source: source(spec),
                arguments: Vec::new(),
                route: spec.route,
                origin: Origin::Modules,
                kind,
                limits: spec.limits,
                runner,
                slots: slots.map_or_else(|| Arc::new(Semaphore::new(most)), |same| same.slots.clone()),
            }));
        }
        assembled
    }

    fn bind(&self, spec: &ModuleSpec, what: &Implementation, wasm: &Modules) -> Binding {
        let sound =
            |kind, runner| Binding { runner: Some((kind, runner)), description: String::new(), why: None };
        match what {
            Implementation::Native(runner) => sound(RunnerKind::Native, runner.clone()),
            Implementation::Executable(path, confinement) => {
                let (path, confinement) = (path.clone(), confinement.clone());
                let program = Executable::new(spec.function.clone(), path, confinement, self.tasks.clone());
                sound(RunnerKind::Executable, Arc::new(program))
            }
            Implementation::Python(_) => {
                let (runner, description) = self.python.runner(spec).unzip();
                let runner = runner.map(|runner| (RunnerKind::Python, Arc::new(runner) as Arc<dyn Runner>));
                let description = description.unwrap_or_default();
                Binding { runner, description, why: self.python.failure(spec) }
            }
            Implementation::Wasm(_) => {
                let run = |module| WasmRunner::new(spec.function.clone(), module, self.wasm_context.clone());
                let runner = wasm.get(&spec.module).map(|module| Arc::new(run(module)) as Arc<dyn Runner>);
                let runner = runner.map(|runner| (RunnerKind::Wasm, runner));
                Binding { runner, description: String::new(), why: wasm.failure(&spec.module) }
            }
        }
    }
}

impl Assembled {
    fn add_missing(&mut self, spec: &ModuleSpec, why: Option<Arc<str>>) {
        let function = MissingFunction { source: source(spec), origin: Origin::Modules, why };
        self.missing.push((spec.function.clone(), function));
    }
}

/// What a function of modules.ini is made of, for the operator.
pub(crate) fn source(spec: &ModuleSpec) -> Arc<str> {
    format!("modules.ini: {}", spec.module).into()
}
