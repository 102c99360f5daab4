//! Signals, kills, restarts, and what the log may hold.

use msp_protocol::{OsRng, Secret};
use rustix::process::Signal;
use serde_json::json;

use msp_testkit::{Answered, Caller, Program, ProgramFolder, http, now, until};

/// A function that runs until the file `go` exists, and says that it began in the file `began`.
fn waiting_module(bench: &ProgramFolder) {
    let (began, go) = (bench.path("marks/began"), bench.path("marks/go"));
    std::fs::create_dir(bench.path("marks")).unwrap();
    bench.write(
        "modules/waiting.py",
        &format!(
            "import os, time\n\ndef entry_call():\n    open({began:?}, 'w').close()\n    \
             while not os.path.exists({go:?}):\n        time.sleep(0.01)\n    return 'done'\n"
        ),
    );
    let marks = bench.path("marks");
    let list =
        format!("[Modules]\ntime_test=simple_time\nwaiting=waiting\n[waiting]\nPaths=+{}\n", marks.display());
    bench.write("config/modules.ini", &list);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sigterm_ends_what_is_under_way_first() {
    let bench = ProgramFolder::new();
    waiting_module(&bench);
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let (rid, body) = caller.envelope(now(), "waiting", None);
    let url = server.url("/v1");
    let call = tokio::spawn(async move {
        let request = http().post(url).header("Content-Type", "application/json").body(body);
        Answered::of(request.send().await.unwrap()).await
    });
    until("the function began", async || bench.path("marks/began").exists()).await;
    server.signal(Signal::TERM);
    until("the stop was heard", async || server.log.lock().unwrap().contains("stopping")).await;
    bench.write("marks/go", "");
    let answered = call.await.unwrap();
    assert_eq!(caller.open(&rid, &answered).outcome, Ok(json!("done")));
    assert!(server.wait().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_sigterm_quits_at_once() {
    let bench = ProgramFolder::new();
    waiting_module(&bench);
    // Longer than this test may take.
    bench.write("config/config.ini", "[Limits]\nDrainTimeout=300\n");
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let body = caller.fresh("waiting");
    let url = server.url("/v1");
    tokio::spawn(async move {
        http().post(url).header("Content-Type", "application/json").body(body).send().await
    });
    until("the function began", async || bench.path("marks/began").exists()).await;
    server.signal(Signal::TERM);
    until("the stop was heard", async || server.log.lock().unwrap().contains("stopping")).await;
    server.signal(Signal::TERM);
    assert!(server.wait().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sighup_takes_up_a_new_function_and_a_faulty_file_changes_nothing() {
    let bench = ProgramFolder::new();
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let outcome = async |function: &str| {
        let (rid, body) = caller.envelope(now(), function, None);
        caller.open(&rid, &server.post(body).await).outcome.map_err(|failure| failure.code.to_string())
    };
    assert_eq!(outcome("echo").await, Err("unknown_function".to_owned()));
    bench.write("config/modules.ini", "[Modules]\ntime_test=simple_time\necho=echo\n");
    server.signal(Signal::HUP);
    until("echo is known", async || outcome("echo").await.is_ok()).await;
    bench.write("config/modules.ini", "rubbish\n");
    server.signal(Signal::HUP);
    until("the fault is logged", async || server.log.lock().unwrap().contains("not reloaded")).await;
    assert!(outcome("echo").await.is_ok());
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_nothing_accepted_is_accepted_again_and_callers_are_back_within_seconds() {
    let bench = ProgramFolder::new();
    let mut server = bench.serve();
    let mut caller = bench.client(&server, "laptop").await;
    let mut accepted = Vec::new();
    for _ in 0..5 {
        until("a fresh request is accepted", async || {
            let body = caller.fresh("time_test");
            let status = server.post(body.clone()).await.status;
            if status == 200 {
                accepted.push(body);
            }
            status == 200
        })
        .await;
        assert!(!server.kill().success());
        server = bench.serve();
        caller.address = server.address;
        for body in &accepted {
            assert_eq!(server.post(body.clone()).await.status, 401);
        }
    }
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_on_one_registry_ends_with_one_line() {
    let bench = ProgramFolder::new();
    let server = bench.serve();
    let second = bench.run("msp-server", &["--port", "0"]);
    assert_eq!(second.status.code(), Some(1));
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(told.contains("in use by another msp-server"), "{told}");
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn share_point_19_no_secret_key_or_result_is_in_the_log_at_debug() {
    let bench = ProgramFolder::new();
    bench.write("modules/marked.py", "def entry_call():\n    return 'RESULT-OF-THE-FUNCTION'\n");
    bench.write("modules/shout.py", "def entry_call():\n    raise ValueError('x')\n");
    bench.write(
        "config/modules.ini",
        "[Modules]\ntime_test=simple_time\nmarked=marked\nshout=shout\necho=echo\n",
    );
    let server = bench.serve_with(|command| {
        command.env("MSP_LOGLEVEL", "DEBUG");
    });
    let caller = bench.client(&server, "laptop").await;
    for function in ["marked", "shout", "evil\u{202e}name", "echo"] {
        let args = json!({"argument": "ARGUMENT-OF-THE-CALL"});
        server.post(caller.envelope(now(), function, Some(&args)).1).await;
        server.post(caller.envelope(now(), function, None).1).await;
        server.post(caller.classic(now(), function)).await;
    }
    let stranger = Secret::generate(&mut OsRng);
    let wrong = Caller { secret: stranger.clone(), ..caller.clone() };
    assert_eq!(server.post(wrong.fresh("time_test")).await.status, 401);
    assert_eq!(server.post(wrong.classic(now(), "time_test")).await.status, 401);
    let key = msp_keyfile::read_private_key(&bench.path("sec/server.key")).unwrap();
    let log = server.log.clone();
    assert!(server.stop().success());
    let logged =
        log.lock().unwrap().clone() + &std::fs::read_to_string(bench.path("log/latest.log")).unwrap();
    assert!(logged.contains("DEBUG in"), "{logged}");
    for (what, secret) in [
        ("secret", caller.secret.dangerously_as_str().to_owned()),
        ("digest of the secret", caller.secret.digest().to_string()),
        ("foreign secret", stranger.dangerously_as_str().to_owned()),
        ("client key", caller.key.dangerously_to_base64().to_string()),
        ("server key", key.dangerously_to_base64().to_string()),
        ("result", "RESULT-OF-THE-FUNCTION".to_owned()),
        ("argument", "ARGUMENT-OF-THE-CALL".to_owned()),
    ] {
        assert!(!logged.contains(&secret), "{what} in the log");
    }
}

/// A server that has read its settings and then waits, because another process seems to bring its registry up to date.
async fn waiting_server(bench: &ProgramFolder) -> (std::process::Child, std::fs::File) {
    msp_keyfile::create_private_folder(&bench.path("sec")).unwrap();
    msp_keyfile::create_private(&bench.path("sec/registry.db.migrating")).unwrap();
    let lock = std::fs::File::open(bench.path("sec/registry.db.migrating")).unwrap();
    lock.lock().unwrap();
    let mut command = bench.command("msp-server");
    let server = command.args(["--port", "0"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    until("the registry is being opened", async || bench.path("sec/registry.db").exists()).await;
    (server, lock)
}

fn send(server: &std::process::Child, signal: Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(server), signal).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_starting_can_be_stopped() {
    for signal in [Signal::TERM, Signal::INT] {
        let bench = ProgramFolder::new();
        let (mut server, _lock) = waiting_server(&bench).await;
        send(&server, signal);
        assert!(server.wait().unwrap().success(), "{signal:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_or_changed_during_a_start_is_taken_up_after_it() {
    for signal in [Signal::HUP, Signal::USR1] {
        let bench = ProgramFolder::new();
        let (server, lock) = waiting_server(&bench).await;
        send(&server, signal);
        bench.write("config/modules.ini", "[Modules]\nlater=echo\n");
        drop(lock);
        let server = Program::of(server);
        let log = || server.log.lock().unwrap().clone();
        until("it was asked to", async || log().contains("reloaded: asked to")).await;
        until("it has seen the file", async || log().contains("reloaded: a file has changed")).await;
        assert!(server.stop().success());
    }
}
