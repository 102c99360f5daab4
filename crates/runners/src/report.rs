//! What there is to tell of each function, and of what is none yet.

use msp_core::control::{FunctionRow, FunctionState};
use msp_core::{Catalogue, Function, MissingFunction, ModuleSpec, Origin, Route, RunnerKind};
use msp_protocol::FunctionName;

use crate::manifest::source;

/// A row for each function, and for each that should be one.
pub(crate) fn rows(catalogue: &Catalogue) -> Vec<FunctionRow> {
    let there = catalogue.iter().map(|function| row(function, catalogue.missing(&function.name)));
    let missing = catalogue.missing_functions().filter(|(name, _)| catalogue.find(name).is_none());
    let mut rows: Vec<_> = there.chain(missing.map(|(name, missing)| absent(name, missing))).collect();
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    rows
}

fn row(function: &Function, missing: Option<&MissingFunction>) -> FunctionRow {
    let kind = match function.kind {
        RunnerKind::Executable => "executable",
        RunnerKind::Native => "native",
        RunnerKind::Python => "python",
        RunnerKind::Wasm => "wasm",
    };
    let route = function.route.map(|route| match route {
        Route::Key => "key",
        Route::Named => "named",
        Route::Open => "open",
        Route::Own(_) => "own",
    });
    FunctionRow {
        name: function.name.to_string(),
        namespace: Some(function.namespace.to_string()),
        source: function.source.to_string(),
        runner: Some(kind.to_owned()),
        access: Some(function.access.as_str().to_owned()),
        route: route.map(str::to_owned),
        state: if missing.is_some() { FunctionState::Stale } else { FunctionState::Ready },
        error: missing.and_then(|missing| missing.why.as_deref()).map(str::to_owned),
        calls: function.tally.calls(),
        failed: function.tally.failed(),
        last_failure: function.tally.last_failure(),
    }
}

fn absent(name: &FunctionName, missing: &MissingFunction) -> FunctionRow {
    FunctionRow {
        name: name.to_string(),
        namespace: None,
        source: missing.source.to_string(),
        runner: None,
        access: None,
        route: None,
        state: if missing.why.is_some() { FunctionState::Failed } else { FunctionState::Loading },
        error: missing.why.as_deref().map(str::to_owned),
        calls: 0,
        failed: 0,
        last_failure: None,
    }
}

/// What loads for the first time, one line each.
pub(crate) fn loading(catalogue: &Catalogue) -> impl Iterator<Item = String> {
    let loading = catalogue.missing_functions().filter(|(_, missing)| missing.why.is_none());
    loading.map(|(name, missing)| match missing.origin {
        Origin::Plugins => format!("still loading: plugin file {}", missing.source),
        Origin::BuiltIn | Origin::Control | Origin::Modules => format!("still loading: function {name}"),
    })
}

/// A function that is listed and has not been looked for yet.
pub(crate) fn expected(spec: &ModuleSpec) -> (FunctionName, MissingFunction) {
    (spec.function.clone(), MissingFunction { source: source(spec), origin: Origin::Modules, why: None })
}
