//! Who may call what: the one place where authority is decided.
//!
//! | origin \ identity | client, user, app | api key | the door's key | a plugin's key | anybody |
//! | --- | --- | --- | --- | --- | --- |
//! | built in | a client whose ceiling is write | – | – | – | – |
//! | modules.ini, plugins | by grants | by grants; an open route always | routes `Key` and `Open` | its own route, and `Open` | `Open` |
//! | control | – | by grants that name it | yes | no | `Open` |
//!
//! `–` means that for this identity there is no such function. Beyond the table, nobody does more than its ceiling allows,
//! unless the operator has opened the function with `Classic=yes`.

use std::sync::Arc;

use msp_protocol::FunctionName;

use crate::access::{Access, Origin, Route};
use crate::caller::Caller;
use crate::catalogue::{Catalogue, Function};
use crate::identity::Identity;

/// Proof that the caller may make this call. Only [`permit`] makes one, and nothing runs without one.
#[derive(Debug)]
pub struct Permit {
    caller: Arc<Caller>,
    function: Arc<Function>,
}

impl Permit {
    /// The caller that was permitted.
    #[must_use]
    pub const fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// The function it may call.
    #[must_use]
    pub const fn function(&self) -> &Arc<Function> {
        &self.function
    }
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Denied {
    /// A function that writes, and a ceiling of reading; only the classic shape has one.
    #[error("the function writes and is closed to the classic shape")]
    AboveCeiling,
    /// A built-in function, asked for in the classic shape.
    #[error("a built-in function is for the envelope shape only")]
    EnvelopeOnly,
    /// No grant or key of the caller covers it.
    #[error("no grant of this caller covers the function")]
    Forbidden,
    /// What may be this function has not loaded yet.
    #[error("what may be this function is still loading")]
    Loading,
    /// There is no function of this name, or none for this identity.
    #[error("no function of this name")]
    Unknown,
}

/// Decides whether the caller may call the function of this name.
///
/// # Errors
/// [`Denied`], with the reason.
pub fn permit(caller: &Arc<Caller>, catalogue: &Catalogue, name: &FunctionName) -> Result<Permit, Denied> {
    let absent = || if catalogue.may_come(name) { Denied::Loading } else { Denied::Unknown };
    let function = catalogue.find(name).ok_or_else(absent)?;
    judge(caller, Target::of(function, caller))?;
    Ok(Permit { caller: caller.clone(), function: function.clone() })
}

/// Decides whether the caller may do what is no function but manages them: `plugin/list`, `plugin/reload`. `route` is what
/// the operator has said of it, [`Route::Open`] or [`Route::Key`].
///
/// # Errors
/// [`Denied::Forbidden`], or [`Denied::Unknown`] for who never may.
pub fn permit_control(
    caller: &Caller,
    name: &FunctionName,
    access: Access,
    route: Route,
) -> Result<(), Denied> {
    let granted = caller.grants.list(name, access);
    let route = Some(route);
    judge(caller, Target { origin: Origin::Control, access, route, granted, classic_write: false })
}

/// The functions this caller may call, in the order of their names; built-in ones apart.
pub fn callable<'a>(caller: &'a Caller, catalogue: &'a Catalogue) -> impl Iterator<Item = &'a Arc<Function>> {
    catalogue.iter().filter(|function| {
        function.origin != Origin::BuiltIn && judge(caller, Target::of(function, caller)).is_ok()
    })
}

/// What is asked for, as far as authority depends on it.
#[derive(Debug, Clone, Copy)]
struct Target {
    origin: Origin,
    access: Access,
    route: Option<Route>,
    /// Whether the caller's grants cover it.
    granted: bool,
    /// Whether a ceiling of reading does not count.
    classic_write: bool,
}

impl Target {
    fn of(function: &Function, caller: &Caller) -> Self {
        let &Function { origin, access, route, classic_write, .. } = function;
        Self { origin, access, route, granted: function.is_covered_by(&caller.grants), classic_write }
    }
}

/// The table.
fn judge(caller: &Caller, asked: Target) -> Result<(), Denied> {
    opens(caller, asked)?;
    if asked.access > caller.ceiling && !asked.classic_write { Err(Denied::AboveCeiling) } else { Ok(()) }
}

fn opens(caller: &Caller, asked: Target) -> Result<(), Denied> {
    use Identity::{Anybody, ApiKey, App, Client, DoorKey, PluginKey, User};

    let when = |opened: bool| if opened { Ok(()) } else { Err(Denied::Forbidden) };
    match (asked.origin, &caller.identity) {
        (Origin::BuiltIn, Client { .. }) if caller.ceiling == Access::Write => Ok(()),
        (Origin::BuiltIn, Client { .. }) => Err(Denied::EnvelopeOnly),
        (Origin::BuiltIn, Anybody | ApiKey { .. } | App { .. } | DoorKey(_) | PluginKey(_) | User { .. })
        | (Origin::Control, App { .. } | Client { .. } | User { .. }) => Err(Denied::Unknown),
        (Origin::Control, Anybody) => when(asked.route == Some(Route::Open)),
        (Origin::Control, ApiKey { .. }) => when(asked.granted),
        (Origin::Control, DoorKey(_)) => Ok(()),
        (Origin::Control, PluginKey(_)) => Err(Denied::Forbidden),
        (Origin::Modules | Origin::Plugins, App { .. } | Client { .. } | User { .. }) => when(asked.granted),
        (Origin::Modules | Origin::Plugins, identity) => match (asked.route, identity) {
            (Some(Route::Open), _) => Ok(()),
            (_, ApiKey { .. }) => when(asked.granted),
            (None, _) => Err(Denied::Unknown),
            (Some(Route::Key), DoorKey(_)) => Ok(()),
            (Some(Route::Own(own)), PluginKey(key)) => when(own == *key),
            (Some(Route::Key | Route::Named | Route::Own(_)), _) => Err(Denied::Forbidden),
        },
    }
}

#[cfg(test)]
mod tests;
