//! What there is to tell of each function, and of what is none yet.

use msp_core::control::{FunctionRow, FunctionState};
use msp_core::{Catalogue, Function, ModuleSpec, Origin, Route, RunnerKind, Trouble};
use msp_protocol::FunctionName;

use crate::manifest::source;

/// A row for each function, and for each that should be one.
pub(crate) fn rows(catalogue: &Catalogue) -> Vec<FunctionRow> {
    let there = catalogue.iter().map(|function| row(function, catalogue.trouble(&function.name)));
    let missing = catalogue.troubles().filter(|(name, _)| catalogue.find(name).is_none());
    let mut rows: Vec<_> = there.chain(missing.map(|(name, trouble)| absent(name, trouble))).collect();
    rows.sort_by(|one, other| one.name.cmp(&other.name));
    rows
}

fn row(function: &Function, trouble: Option<&Trouble>) -> FunctionRow {
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
        source: function.source.to_string(),
        runner: Some(kind.to_owned()),
        access: Some(function.access.as_str().to_owned()),
        route: route.map(str::to_owned),
        state: if trouble.is_some() { FunctionState::Stale } else { FunctionState::Ready },
        error: trouble.and_then(|trouble| trouble.why.as_deref()).map(str::to_owned),
        calls: function.tally.calls(),
        failed: function.tally.failed(),
        last_failure: function.tally.last_failure(),
    }
}

fn absent(name: &FunctionName, trouble: &Trouble) -> FunctionRow {
    FunctionRow {
        name: name.to_string(),
        source: trouble.source.to_string(),
        runner: None,
        access: None,
        route: None,
        state: if trouble.why.is_some() { FunctionState::Failed } else { FunctionState::Loading },
        error: trouble.why.as_deref().map(str::to_owned),
        calls: 0,
        failed: 0,
        last_failure: None,
    }
}

/// What loads for the first time, one line each.
pub(crate) fn loading(catalogue: &Catalogue) -> impl Iterator<Item = String> {
    let loading = catalogue.troubles().filter(|(_, trouble)| trouble.why.is_none());
    loading.map(|(name, trouble)| match trouble.origin {
        Origin::Plugins => format!("still loading: plugin file {}", trouble.source),
        Origin::BuiltIn | Origin::Control | Origin::Modules => format!("still loading: function {name}"),
    })
}

/// A function that is listed and has not been looked for yet.
pub(crate) fn expected(spec: &ModuleSpec) -> (FunctionName, Trouble) {
    (spec.function.clone(), Trouble { source: source(spec), origin: Origin::Modules, why: None })
}
