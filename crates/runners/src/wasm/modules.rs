//! Modules that have compiled.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use msp_core::clock::Clock;
use msp_core::{FunctionLimits, Stamp};

use tokio::task::spawn_blocking;
use wasmi::{CompilationMode, Config, Engine, Error, Func, Linker, Module, Store};

use super::guest::{DEFAULT, Guest, Memory};
use super::instance_size::instance_size;
use super::wasi;
use crate::bounded_file;
use crate::output::escaped;

/// The largest module file, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// How deep a module's functions may call each other.
const DEPTH: usize = 10_000;
/// Bytes of what its functions have on the stack.
const STACK: usize = 1_000_000;
/// What a call takes beside memory, instance, input and answer, in bytes: its stack, the frames of [`DEPTH`]
/// functions with room to double, and what it prints.
const CALL_OVERHEAD: usize = 2 * 1024 * 1024;
/// Where a module of WASI begins.
const START: &str = "_start";

/// A WebAssembly module that modules.ini lists, where discovery has found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its dotted name.
    pub(crate) name: String,
    /// Its file.
    pub(crate) path: PathBuf,
    /// The memory of the function that may have most.
    pub(crate) memory: u64,
}

/// The memory that a function's calls may have each.
pub(crate) fn memory(limits: &FunctionLimits) -> u64 {
    limits.memory.unwrap_or(DEFAULT)
}

/// A module that can be run, with the engine it was compiled for: both go when the last call has ended.
pub(crate) struct Compiled {
    pub(super) path: PathBuf,
    stamp: Stamp,
    /// What each call takes beside memory, input and answer, in bytes.
    pub(super) reserved: usize,
    module: Module,
    linker: Linker<Guest>,
}

impl std::fmt::Debug for Compiled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiled").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The modules that compiled, by name, and why others, or newer ones of the same name, did not.
#[derive(Debug, Default)]
pub(crate) struct Modules(BTreeMap<String, Arc<Compiled>>, BTreeMap<String, Arc<str>>);

impl Modules {
    /// The module of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Compiled>> {
        self.0.get(name).cloned()
    }

    /// Why the module of this name does not compile.
    pub(crate) fn failure(&self, name: &str) -> Option<Arc<str>> {
        self.1.get(name).cloned()
    }

    /// Where the module of this name was found.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name).map(|module| module.path.clone())
    }

    /// Compiles the listed modules, as far as their files have changed. One that does not compile is logged
    /// and stays what it was.
    pub(crate) async fn next(&self, listed: Vec<Listed>, clock: &Arc<dyn Clock>) -> Self {
        let (mut modules, mut failures) = (BTreeMap::new(), BTreeMap::new());
        for Listed { name, path, memory } in listed {
            let before = self.get(&name);
            let clock = clock.clone();
            let same = before.clone();
            let compiling = spawn_blocking(move || compile(path, same, memory, clock));
            let module = match compiling.await.unwrap_or_else(|error| Err(error.to_string())) {
                Ok(module) => Some(module),
                Err(error) => {
                    let then = if before.is_some() { "what loaded before stays in use" } else { "skipped" };
                    tracing::warn!("WebAssembly module {name} does not load, {then}: {error}");
                    failures.insert(name.clone(), error.into());
                    before
                }
            };
            modules.extend(module.map(|module| (name, module)));
        }
        Self(modules, failures)
    }
}

/// The module of this file; the same one, when the file has not changed.
fn compile(
    path: PathBuf,
    same: Option<Arc<Compiled>>,
    memory: u64,
    clock: Arc<dyn Clock>,
) -> Result<Arc<Compiled>, String> {
    let failed = |what: &str| format!("{}: {}", path.display(), escaped(what.trim().as_bytes()));
    let stamp = path.metadata().map(|metadata| Stamp::from(&metadata)).map_err(|e| failed(&e.to_string()))?;
    if let Some(same) = same.filter(|same| same.stamp == stamp && same.path == path) {
        return Ok(same);
    }
    let bytes = bounded_file::read(&path, LARGEST).map_err(|error| failed(&error.to_string()))?;
    let engine = engine();
    let module = Module::new(&engine, &bytes).map_err(|error| failed(&error.to_string()))?;
    let reserved = instance_size(&bytes)
        .ok_or_else(|| failed("not a sequence of sections"))?
        .saturating_add(CALL_OVERHEAD);
    let linker = wasi::linker(&module).map_err(|error| failed(&error))?;
    let compiled = Compiled { path: path.clone(), stamp, reserved, module, linker };
    // What cannot even start would fail in each call.
    let memory = Memory::new(Arc::default(), memory, reserved);
    let memory = memory.ok_or_else(|| failed("one call would take more than all calls may hold"))?;
    let mut trial = Guest::new("", Vec::new(), 0, memory, clock).into_store(&engine);
    compiled.instantiate(&mut trial).map_err(|error| failed(&error.to_string()))?;
    Ok(Arc::new(compiled))
}

impl Compiled {
    pub(super) fn engine(&self) -> &Engine {
        self.module.engine()
    }

    /// Makes an instance and gives the function that it starts with.
    pub(super) fn instantiate(&self, store: &mut Store<Guest>) -> Result<Func, Error> {
        let instance = self.linker.instantiate_and_start(&mut *store, &self.module)?;
        store.data_mut().memory.instantiated();
        let takes_nothing = |start: &Func| {
            let kind = start.ty(&*store);
            kind.params().is_empty() && kind.results().is_empty()
        };
        instance
            .get_func(&*store, START)
            .filter(takes_nothing)
            .ok_or_else(|| Error::new("it has no function _start: build it as a program, not as a library"))
    }
}

/// One for each module, because an engine keeps what was ever compiled for it.
fn engine() -> Engine {
    let mut config = Config::default();
    config
        .consume_fuel(true)
        // It would run before the first slice, without an end.
        .allow_start_fn(false)
        .compilation_mode(CompilationMode::Eager)
        .ignore_custom_sections(true)
        .set_max_recursion_depth(DEPTH)
        .set_max_stack_height(STACK);
    Engine::new(&config)
}
