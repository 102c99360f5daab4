//! A test that runs where it may change what the whole machine shares.

use std::process::{Command, Stdio};

/// Set in the process that has a namespace of its own.
const INSIDE: &str = "MSP_TEST_NAMESPACE";

/// Runs the test of this name again in a process of its own that `unshare` gives a namespace of this kind (`--mount`,
/// `--net`), and `body` there.
pub(super) fn in_namespace(kind: &str, test: &str, body: impl AsyncFnOnce()) {
    if std::env::var_os(INSIDE).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        return runtime.block_on(body());
    }
    assert!(
        rustix::process::geteuid().is_root(),
        "{test} needs a namespace of its own ({kind}), so it must run as root; to leave such tests out: \
         cargo nextest run --workspace -E 'not test(in_a_namespace)'"
    );
    let mut again = Command::new("unshare");
    again.arg(kind).arg(std::env::current_exe().unwrap()).args(["--exact", test, "--nocapture"]);
    let output = again.env(INSIDE, kind).stderr(Stdio::inherit()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}

/// Runs a program of the system, which must succeed.
pub(super) fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}
