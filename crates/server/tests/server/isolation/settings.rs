//! What the operator may set, and what the start says about it.

use std::process::{Command, Stdio};

use serde_json::json;

use super::running_server::{NOBODY, Plan, is_root};
use msp_testkit::http;

/// Connects where it is told, and says what came of it.
const CONNECT: &str = "
import socket
def entry_call(port):
    done = []
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_INET, kind) as s:
                s.connect(('127.0.0.1', port))
                done.append('connected')
        except OSError as error:
            done.append(error.strerror)
    return done
";

/// Reads, then writes.
const USE: &str = "
def entry_call(path):
    done = []
    for mode in ('r', 'a'):
        try:
            open(path, mode).close()
            done.append('yes')
        except OSError as error:
            done.append(error.strerror)
    return done
";

#[tokio::test(flavor = "multi_thread")]
async fn functions_with_other_demands_have_other_workers() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = json!({"port": listener.local_addr().unwrap().port()});
    let running =
        Plan::new().python("open", CONNECT, "").python("closed", CONNECT, "Network=no").start().await;
    assert_eq!(running.call("open", port.clone()).await, Ok(json!(["connected", "connected"])));
    let refused = json!(["Operation not permitted", "Operation not permitted"]);
    assert_eq!(running.call("closed", port).await, Ok(refused));
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_add_files_to_read_and_with_a_plus_to_change() {
    let plan = Plan::new();
    for name in ["in/file", "out/file", "neither/file"] {
        plan.bench.write(name, "");
    }
    let at = |name: &str| plan.bench.path(name).display().to_string();
    let paths = format!("Paths={}:+{}", at("in"), at("out"));
    let files = [at("in/file"), at("out/file"), at("neither/file")];
    let program = format!(
        "#!/usr/bin/env python3\n{USE}\nimport json, sys\nprint(json.dumps(entry_call(**json.load(sys.stdin))))\n"
    );
    let running = plan.python("use", USE, &paths).program("tool", &program, &paths).start().await;
    let denied = "Permission denied";
    for (file, got) in files.iter().zip([["yes", denied], ["yes", "yes"], [denied, denied]]) {
        assert_eq!(running.call("use", json!({"path": file})).await, Ok(json!(got)), "{file}");
        let answer = running.call("tool", json!({"path": file})).await.unwrap();
        assert_eq!(answer.as_str().unwrap().trim(), json!(got).to_string().replace(',', ", "), "{file}");
    }
}

/// Steers devices as anybody may who can open them.
const STEER: &str = "
import array, fcntl, os
def entry_call():
    done = []
    for steer in (entropy, lambda: os.ttyname(os.openpty()[1])):
        try:
            steer()
            done.append('yes')
        except OSError as error:
            done.append(error.strerror)
    return done
def entropy():
    # RNDGETENTCNT
    fcntl.ioctl(os.open('/dev/random', os.O_RDWR), 0x80045200, array.array('i', [0]))
";

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_given_to_be_changed_can_be_steered_and_no_other() {
    let paths = "Paths=+/dev/random:+/dev/ptmx:+/dev/pts";
    let running = Plan::new().python("given", STEER, paths).python("other", STEER, "").start().await;
    assert_eq!(running.call("given", json!({})).await, Ok(json!(["yes", "yes"])));
    let denied = "Permission denied";
    assert_eq!(running.call("other", json!({})).await, Ok(json!([denied, denied])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_a_function_puts_in_a_paths_place_leads_nowhere() {
    let plan = Plan::new();
    plan.bench.write("out/sub/server.key", "of no worth");
    let (out, sub) = (plan.bench.path("out"), plan.bench.path("out/sub"));
    let source = "import os\ndef entry_call(sub, target):\n    os.rename(sub, sub + '-old')\n    os.symlink(target, sub)\n";
    let peek = format!("#!/bin/sh\ncat {}/server.key 2>&1 | head -n 1\n", sub.display());
    let running = plan
        .python("swap", source, &format!("Paths=+{}", out.display()))
        .program("peek", &peek, &format!("Paths={}", sub.display()))
        .start()
        .await;
    assert_eq!(running.call("peek", json!({})).await, Ok(json!("of no worth")));
    let target = json!({"sub": sub, "target": running.bench.path("sec")});
    assert_eq!(running.call("swap", target).await, Ok(json!(null)));
    assert!(sub.join("server.key").metadata().unwrap().len() > 11, "not swapped");
    let told = running.call("peek", json!({})).await.unwrap();
    assert!(told.as_str().unwrap().contains("Permission denied"), "{told}");
}

/// Reads a file, or crashes.
const LOOK: &str = "
import os
def entry_call(path=None):
    if path is None:
        os._exit(1)
    try:
        return open(path).read()
    except OSError as error:
        return error.strerror
";

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_a_paths_place_is_not_followed_by_a_worker_that_starts_later() {
    let plan = Plan::new();
    plan.bench.write("out/sub/file", "of no worth");
    plan.bench.write("elsewhere/file", "of worth");
    let (out, sub) = (plan.bench.path("out"), plan.bench.path("out/sub"));
    let swap = "import os\ndef entry_call(sub, target):\n    os.rename(sub, sub + '-old')\n    os.symlink(target, sub)\n";
    let running = plan
        .python("swap", swap, &format!("Paths=+{}", out.display()))
        .python("look", LOOK, &format!("Paths={}", sub.display()))
        .start()
        .await;
    let file = json!({"path": sub.join("file")});
    assert_eq!(running.call("look", file.clone()).await, Ok(json!("of no worth")));
    let target = json!({"sub": sub, "target": running.bench.path("elsewhere")});
    assert_eq!(running.call("swap", target).await, Ok(json!(null)));
    assert_eq!(std::fs::read_to_string(sub.join("file")).unwrap(), "of worth");
    assert_eq!(running.call("look", json!({})).await, Err("function_failed".to_owned()));
    assert_eq!(running.call("look", file).await, Ok(json!("Permission denied")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_whose_paths_would_lay_the_keys_open_is_left_out_with_one_line() {
    let plan = Plan::new();
    let sections = ["", "sec", "sec/server.key", "log", "config/config.ini"];
    let paths: Vec<_> = sections.iter().map(|name| plan.bench.path(name).display().to_string()).collect();
    let plan = paths.iter().zip(0..).fold(plan, |plan, (path, number)| {
        let plan = plan.program(&format!("tool{number}"), "#!/bin/sh\necho ok\n", &format!("Paths={path}"));
        plan.python(&format!("use{number}"), USE, &format!("Paths={path}"))
    });
    let running = plan.start().await;
    for number in 0..paths.len() {
        for kind in ["tool", "use"] {
            let outcome = running.call(&format!("{kind}{number}"), json!({})).await;
            assert_eq!(outcome, Err("unknown_function".to_owned()), "{kind}{number}");
        }
    }
    assert!(running.logged("function tool1 is skipped: Paths: functions may read"));
    assert!(running.call("whose", json!({})).await.is_ok());
}

/// Starts a server that must not start, and gives its one line.
fn failure(plan: &Plan, environment: &[(&str, &str)]) -> String {
    failure_of(plan, plan.command(), environment)
}

fn failure_of(plan: &Plan, mut command: Command, environment: &[(&str, &str)]) -> String {
    command.envs(environment.iter().copied()).stderr(Stdio::piped());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8(output.stderr).unwrap();
    let complaints: Vec<&str> = told.lines().filter(|line| line.contains("msp-server: ")).collect();
    assert_eq!(complaints.len(), 1, "{told}");
    complaints[0].replace(&plan.bench.path("").display().to_string(), "/here/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_path_that_holds_the_keys_stops_the_start() {
    let plan = Plan::new().prepare().await;
    for (folder, private) in [(".", "/here/sec"), ("sec", "/here/sec"), ("log", "/here/log")] {
        let line = failure(&plan, &[("PYTHONPATH", folder)]);
        assert!(line.contains("[Runners] SearchPath: functions may read"), "{line}");
        assert!(line.contains(&format!("holds or lies in {private}")), "{line}");
    }
    let line = failure(&plan, &[("MSP_LOGFILE_PATH", "/usr/share/msp-no-such-log")]);
    assert!(line.contains("/usr, which holds or lies in /usr/share/msp-no-such-log"), "{line}");
    std::fs::remove_dir("/usr/share/msp-no-such-log").ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_user_that_cannot_be_stops_the_start() {
    let plan = Plan::new().prepare().await;
    for (user, why) in [
        ("no-such-user", "/etc/passwd has no user no-such-user"),
        ("root", "root is root or the server's own"),
    ] {
        let line = failure(&plan, &[("MSP__RUNNERS__WORKERUSER", user)]);
        assert!(line.contains(&format!("[Runners] WorkerUser: {why}")), "{line}");
    }
    if is_root() {
        let plan = Plan::new().of_user(NOBODY).prepare().await;
        let line = failure(&plan, &[("MSP__RUNNERS__WORKERUSER", "12345")]);
        assert!(line.contains("[Runners] WorkerUser: only root can run functions as 12345"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_shows_what_is_in_force() {
    let running = Plan::new().start().await;
    let output = running.bench.run("msp-admin", &["doctor", "--json"]);
    let checks: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let details: Vec<_> =
        checks.as_array().unwrap().iter().filter(|check| check["name"] == "server").collect();
    let line = |text: &str| details.iter().find(|check| check["detail"].as_str().unwrap().contains(text));
    let in_force = line("isolation=require: Landlock ABI").unwrap_or_else(|| panic!("{details:?}"));
    assert_eq!(in_force["verdict"], "ok");
    assert!(in_force["detail"].as_str().unwrap().contains("system calls filtered"), "{in_force}");
    assert_eq!(line("functions run as root").is_some_and(|check| check["verdict"] == "warning"), is_root());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_landlock_a_start_warns_and_readyz_says_so() {
    let plan = Plan::new().prepare().await;
    let mut command = plan.command_without_landlock();
    command.stderr(Stdio::piped());
    let running = plan.serve(command);
    assert!(running.logged("isolation=warn: system calls filtered;"));
    assert!(running.logged("isolation: functions are not confined: this kernel has no Landlock"));
    let ready = http().get(format!("http://{}/readyz", running.ops())).send().await.unwrap();
    assert_eq!(ready.status(), 200);
    let told = ready.text().await.unwrap();
    assert!(told.starts_with("ready\nfunctions are not confined: this kernel has no Landlock"), "{told}");
    assert!(running.call("attempts", running.facts("work").await).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_landlock_a_start_that_requires_it_ends_with_one_line() {
    let plan = Plan::new().prepare().await;
    let line = failure_of(&plan, plan.command_without_landlock(), &[("MSP__RUNNERS__ISOLATION", "require")]);
    assert!(line.contains("[Runners] Isolation=require: this kernel has no Landlock"), "{line}");
    assert!(line.ends_with("Isolation=warn starts without"), "{line}");
}
