//! What a function leaves behind, and whether it outlives its call.

use serde_json::{Value, json};

use super::running_server::{Plan, RunningServer, scratch_of};
use msp_testkit::{ProgramFolder, until};

/// Forks twice, tries to leave its group and session, and says who is left.
const LEAVE: &str = "
import os, sys, time
def entry_call():
    reader, writer = os.pipe()
    if os.fork() == 0:
        for leave in (os.setsid, lambda: os.setpgid(0, 0)):
            try:
                leave()
            except OSError:
                pass
        if os.fork():
            os._exit(0)
        os.write(writer, str(os.getpid()).encode())
        for descriptor in range(3):
            os.close(descriptor)
        time.sleep(1000)
    os.wait()
    return os.read(reader, 100).decode()
def hang():
    sys.stderr.write('left ' + entry_call() + '\\n')
    sys.stderr.flush()
    time.sleep(1000)
";

/// True when the process exists, as a zombie too.
fn exists(id: &str) -> bool {
    std::path::Path::new("/proc").join(id.trim()).exists()
}

async fn ends(id: &str) {
    until("the end of what was left behind", async || !exists(id)).await;
}

fn text(value: Result<Value, String>) -> String {
    value.unwrap().as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_an_executable_started_outlives_its_call_not_even_as_a_zombie() {
    let program = format!("#!/usr/bin/env python3\n{LEAVE}\nprint(entry_call())\n");
    let running = Plan::new().program("leave", &program, "").start().await;
    for _ in 0..3 {
        ends(&text(running.call("leave", json!({})).await)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_python_function_started_outlives_its_worker() {
    let hang = LEAVE.replace("def entry_call", "def leave").replace("entry_call()", "leave()");
    let hang = hang.replace("def hang", "def entry_call");
    let running = Plan::new().python("hang", &hang, "Timeout=1").start().await;
    assert_eq!(running.call("hang", json!({})).await, Err("timeout".to_owned()));
    let id = told(&running, "left ").await;
    ends(&id).await;
}

/// The word after this text in the log.
async fn told(running: &RunningServer, text: &str) -> String {
    until(text, async || running.logged(text)).await;
    let log = running.server.log.lock().unwrap();
    log.split_once(text).unwrap().1.split_whitespace().next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_end_with_a_server_that_was_killed() {
    let running = Plan::new().start().await;
    let worker = running.call("whose", json!({})).await.unwrap().to_string();
    assert!(exists(&worker));
    let RunningServer { server, bench, .. } = running;
    assert!(!server.kill().success());
    ends(&worker).await;
    drop(bench);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_temporary_folder_is_private_and_goes_with_its_process() {
    let program =
        "#!/bin/sh\nmkdir -p $HOME/a/b && chmod 0 $HOME/a && echo x > $TMPDIR/file && pwd && echo $HOME\n";
    let running = Plan::new().program("litter", program, "").start().await;
    let answer = text(running.call("litter", json!({})).await);
    let home = std::path::PathBuf::from(answer.lines().nth(1).unwrap());
    assert_eq!(home.parent(), Some(running.scratch().as_path()));
    until("the folder is gone", async || !home.exists()).await;
    let scratch = running.scratch();
    assert!(scratch.exists());
    assert!(running.server.stop().success());
    assert!(!scratch.exists(), "left after a stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_removes_what_a_killed_server_has_left_in_its_temporary_folder() {
    let source = "import os\ndef entry_call():\n    open(os.environ['HOME'] + '/left', 'w').close()\n    return os.environ['HOME']\n";
    let running = Plan::new().python("litter", source, "").start().await;
    let left = std::path::Path::new(&text(running.call("litter", json!({})).await)).join("left");
    let RunningServer { server, bench, .. } = running;
    assert!(!server.kill().success());
    assert!(left.exists());
    let again = bench.serve();
    assert!(!left.exists());
    assert!(again.stop().success());
}

/// Processes that have ended and that this one, their parent, has not waited for.
fn zombies(parent: &str) -> usize {
    let folders = std::path::Path::new("/proc").read_dir().unwrap().flatten();
    let stats = folders.filter_map(|folder| std::fs::read_to_string(folder.path().join("stat")).ok());
    let is_one = |stat: &String| {
        let mut fields = stat.rsplit_once(')').unwrap().1.split_whitespace();
        fields.next() == Some("Z") && fields.next() == Some(parent)
    };
    stats.filter(is_one).count()
}

/// Starts a process that is nobody's child but who takes orphans', and one that lives on; gives the latter's number and
/// its own.
const ABANDON: &str = "
import os, subprocess
def abandon():
    for _ in range(20):
        if os.fork() == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
        os.wait()
    script = 'sleep 1000 >/dev/null 2>&1 & echo $!'
    orphan = subprocess.run(['sh', '-c', script], capture_output=True, text=True).stdout.strip()
    child = subprocess.Popen(['sleep', '1000'])
    return f'{orphan} {child.pid} {os.getpid()}'
";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_of_a_python_function_left_ends_with_the_call_and_what_its_module_started_stays() {
    let own = "own = subprocess.Popen(['sleep', '1000'])\n";
    let left = format!("{ABANDON}{own}def entry_call():\n    return f'{{abandon()}} {{own.pid}}'\n");
    let at_once = format!("{ABANDON}async def entry_call():\n    return abandon() + ' none'\n");
    let running = Plan::new().python("left", &left, "").python("at_once", &at_once, "").start().await;
    let mut workers = std::collections::BTreeSet::new();
    for function in ["left", "at_once", "left", "at_once"] {
        let answer = text(running.call(function, json!({})).await);
        let [orphan, child, worker, own] = *answer.split(' ').collect::<Vec<_>>() else { panic!("{answer}") };
        // At once, or within a second where a module has processes of its own.
        ends(orphan).await;
        ends(child).await;
        assert!(own == "none" || exists(own));
        until("none is a zombie", async || zombies(worker) == 0).await;
        assert!(exists(worker));
        workers.insert(worker.to_owned());
    }
    assert_eq!(workers.len(), 1, "none of them has ended for it");
    assert_eq!(zombies(&running.server.id().to_string()), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_of_a_program_that_still_runs_are_waited_for() {
    let program = format!(
        "#!/usr/bin/env python3\n{ABANDON}\nabandon()\nimport sys, time\nsys.stderr.write('abandoned\\n')\n\
         sys.stderr.flush()\ntime.sleep(1000)\n"
    );
    let running = Plan::new().program("hang", &program, "Timeout=100").start().await;
    let server = running.server.id().to_string();
    let call = running.call("hang", json!({}));
    let reaped = async {
        until("it has abandoned them", async || running.logged("abandoned")).await;
        until("none is a zombie", async || zombies(&server) == 0).await;
    };
    tokio::select! {
        _ = call => panic!("it has ended"),
        () = reaped => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_ends_what_functions_of_a_killed_server_have_left() {
    let hang = format!(
        "{ABANDON}\ndef entry_call():\n    import sys, time\n    sys.stderr.write('left ' + abandon() + '\\n')\n    \
         sys.stderr.flush()\n    time.sleep(1000)\n"
    );
    let running = Plan::new().python("hang", &hang, "Timeout=100").start().await;
    let left = async { told(&running, "left ").await };
    let orphan = tokio::select! {
        _ = running.call("hang", json!({})) => panic!("it has ended"),
        orphan = left => orphan,
    };
    let RunningServer { server, bench, .. } = running;
    assert!(!server.kill().success());
    assert!(exists(&orphan));
    let again = bench.serve();
    assert!(again.log.lock().unwrap().contains("processes of functions that a killed server has left"));
    ends(&orphan).await;
    assert!(again.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_runs_no_process_leaves_no_folder_however_it_ends() {
    let bench = ProgramFolder::new();
    bench.write("config/modules.ini", "[Modules]\ntime_test=simple_time\n");
    let server = bench.serve();
    let scratch = scratch_of(&bench);
    assert!(!server.kill().success());
    assert!(!scratch.exists());
}
