//! What is in force, for the operator.

use rustix::process::geteuid;

use super::Isolation;
use super::plan::Enforced;

/// What keeps functions to themselves, one line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IsolationReport {
    /// What is in force.
    pub in_force: Vec<String>,
    /// What is not, with what would be right.
    pub lacking: Vec<String>,
    /// Why functions are not confined, when they run all the same; stands in `lacking` too.
    pub unconfined: Option<String>,
}

impl Isolation {
    /// What is in force.
    pub(crate) fn report(&self) -> IsolationReport {
        let Enforced { landlock, seccomp } = self.enforced;
        let mut parts = Vec::new();
        if landlock > 0 {
            parts.push(format!("Landlock ABI {landlock} ({})", covered(landlock).join(", ")));
        }
        if seccomp {
            parts.push("system calls filtered".to_owned());
        }
        parts.push("limits of memory, processes, files; no capabilities, no new privileges".to_owned());
        let mode = if self.require { "require" } else { "warn" };
        let mut report = IsolationReport {
            in_force: vec![format!("isolation={mode}: {}", parts.join("; "))],
            ..IsolationReport::default()
        };
        report.in_force.push(match &self.cgroups {
            Ok(_) => "limits: a control group for each process of functions with all it starts".to_owned(),
            Err(why) => format!("limits: for each process alone; no control groups: {why}"),
        });
        if let Some(user) = self.user {
            report.in_force.push(format!("functions run as uid {}, gid {}", user.uid, user.gid));
        } else if geteuid().is_root() {
            report.lacking.push(
                "functions run as root, without its capabilities; [Runners] WorkerUser=nobody gives them a user of \
                 their own"
                    .to_owned(),
            );
        }
        report.unconfined =
            lacking(&self.enforced).map(|lacking| format!("functions are not confined: {lacking}"));
        report.lacking.extend(report.unconfined.clone());
        if landlock > 0 && landlock < SIGNALS && self.user.is_none() {
            report.lacking.push(
                "functions can send signals to the server: Linux 6.12 or [Runners] WorkerUser= prevents it"
                    .to_owned(),
            );
        }
        report
    }
}

/// What is missing for `require`, and what would be right.
pub(super) fn lacking(enforced: &Enforced) -> Option<&'static str> {
    match enforced {
        Enforced { landlock: 0, .. } => Some(
            "this kernel has no Landlock, or it is switched off, so they read what the server's user can; right \
             would be Linux 6.12 or later with landlock in its lsm= list",
        ),
        Enforced { seccomp: false, .. } => {
            Some("system calls cannot be filtered on this machine; right would be a kernel with seccomp")
        }
        _ => None,
    }
}

/// What an interface of this version covers.
fn covered(version: i32) -> Vec<&'static str> {
    let all =
        [(1, "files"), (3, "truncation"), (4, "TCP"), (SIGNALS, "signals"), (SIGNALS, "abstract sockets")];
    all.into_iter().filter(|(since, _)| version >= *since).map(|(_, what)| what).collect()
}

/// The first version that keeps signals inside.
const SIGNALS: i32 = 6;
