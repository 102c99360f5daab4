//! From the lines of modules.ini to the catalogue.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use msp_core::{Catalogue, Function, ModuleSpec, Origin, Runner, RunnerKind};
use tokio::sync::Semaphore;

use crate::discovery::{Found, find};
use crate::executable::Executable;
use crate::isolation::Isolation;
use crate::native::Natives;
use crate::python::{Demands, Listed, Workshops};
use crate::tasks::Tasks;
use crate::wasm::{self, Modules, Room, WasmRunner};

/// One line of modules.ini and what it means now.
#[derive(Debug)]
pub(crate) struct Entry {
    spec: ModuleSpec,
    what: What,
}

#[derive(Debug)]
enum What {
    Executable(PathBuf),
    Native(Arc<dyn Runner>),
    Python(Listed),
    Wasm(PathBuf),
}

/// The modules that are in use.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) python: Workshops,
    pub(crate) wasm: Modules,
}

/// Looks each module up; what is nowhere is logged and left out. A Python or WebAssembly module that is in use
/// stays so when its file has gone.
pub(crate) fn look_up(
    folders: &[PathBuf],
    specs: Vec<ModuleSpec>,
    in_use: &Loaded,
    natives: &Natives,
) -> Vec<Entry> {
    let mut entries = Vec::new();
    for spec in specs {
        let what = match find(folders, &spec.module) {
            Ok(Found::Python { path, package }) => {
                What::Python(Listed { name: spec.module.clone(), path, package })
            }
            Ok(Found::Executable(path)) => What::Executable(path),
            Ok(Found::Wasm(path)) => What::Wasm(path),
            Err(error) => {
                let native = natives.find(&spec.module).map(What::Native);
                let python = || in_use.python.listed(&spec).map(What::Python);
                let wasm = || in_use.wasm.path(&spec.module).map(What::Wasm);
                let Some(what) = native.or_else(python).or_else(wasm) else {
                    tracing::warn!("function {} has no module, skipped: {error}", spec.function);
                    continue;
                };
                what
            }
        };
        entries.push(Entry { spec, what });
    }
    entries
}

/// The Python modules of the entries for each pool, each once, in the order of their names.
pub(crate) fn python_modules(entries: &[Entry]) -> BTreeMap<Demands, Vec<Listed>> {
    let mut pools: BTreeMap<Demands, BTreeMap<&str, &Listed>> = BTreeMap::new();
    for entry in entries {
        if let What::Python(listed) = &entry.what {
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
        if let What::Wasm(path) = what {
            let memory = wasm::memory(&spec.limits);
            let new = || wasm::Listed { name: spec.module.clone(), path: path.clone(), memory };
            let listed = modules.entry(&spec.module).or_insert_with(new);
            listed.memory = listed.memory.max(memory);
        }
    }
    modules.into_values().collect()
}

/// What the functions of a catalogue run with.
#[derive(Debug)]
pub(crate) struct Means {
    pub(crate) tasks: Arc<Tasks>,
    pub(crate) isolation: Arc<Isolation>,
    pub(crate) room: Arc<Room>,
    pub(crate) built_in: Vec<Arc<Function>>,
}

/// Makes the functions of the modules. One that was in the catalogue before keeps its slots, so that calls under way
/// count.
pub(crate) fn assemble(
    entries: Vec<Entry>,
    loaded: &Loaded,
    means: &Means,
    before: &Catalogue,
) -> Vec<Arc<Function>> {
    let mut functions = Vec::new();
    for Entry { spec, what } in entries {
        let (kind, runner): (_, Arc<dyn Runner>) = match what {
            What::Native(runner) => (RunnerKind::Native, runner),
            What::Executable(path) => {
                let memory = spec.limits.memory.unwrap_or(Executable::MEMORY);
                let confinement = match means.isolation.confinement(memory, &spec.reach, &[]) {
                    Ok(confinement) => Arc::new(confinement),
                    Err(exposed) => {
                        tracing::error!("function {} is skipped: Paths: {exposed}", spec.function);
                        continue;
                    }
                };
                let program = Executable::new(spec.function.clone(), path, confinement, means.tasks.clone());
                (RunnerKind::Executable, Arc::new(program))
            }
            What::Python(_) => match loaded.python.runner(&spec) {
                Some(runner) => (RunnerKind::Python, Arc::new(runner)),
                // Its one line is in the log already.
                None => continue,
            },
            What::Wasm(_) => match loaded.wasm.get(&spec.module) {
                Some(module) => {
                    let runner = WasmRunner::new(spec.function.clone(), module, means.room.clone());
                    (RunnerKind::Wasm, Arc::new(runner))
                }
                None => continue,
            },
        };
        if means.built_in.iter().any(|function| function.name == spec.function) {
            tracing::warn!("function {} is built in, its line in modules.ini is skipped", spec.function);
            continue;
        }
        let slots = before
            .find(&spec.function)
            .filter(|function| function.limits.max_concurrent == spec.limits.max_concurrent)
            .map_or_else(|| Arc::new(Semaphore::new(spec.limits.max_concurrent)), |same| same.slots.clone());
        functions.push(Arc::new(Function {
            succeeded: msp_core::successes(&spec.function),
            name: spec.function,
            access: spec.access,
            classic_write: spec.classic_write,
            description: spec.description,
            arguments: Vec::new(),
            route: spec.route,
            origin: Origin::Modules,
            kind,
            limits: spec.limits,
            runner,
            slots,
        }));
    }
    functions
}
