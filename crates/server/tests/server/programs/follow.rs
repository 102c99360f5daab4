//! Files that are taken up while the server runs, however they change.

use std::fs::File;
use std::time::SystemTime;

use msp_testkit::{ProgramFolder, now, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_taken_up_that_has_the_time_and_size_of_the_one_before() {
    let bench = ProgramFolder::new();
    for (release, name) in [("one", "echo"), ("two", "tell")] {
        let (list, module) = (format!("{release}/modules.ini"), format!("{release}/answers.py"));
        bench.write(&list, &format!("[Modules]\n{name}=echo\nanswers=answers\n"));
        bench.write(&module, &format!("def entry_call():\n    return '{release}'\n"));
        for file in [list, module] {
            File::open(bench.path(&file)).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        }
    }
    bench.write("config/config.ini", "[Runners]\nSearchPath=modules\n");
    std::os::unix::fs::symlink("one", bench.path("now")).unwrap();
    std::os::unix::fs::symlink("../now/modules.ini", bench.path("config/modules.ini")).unwrap();
    std::fs::create_dir_all(bench.path("modules")).unwrap();
    // Each file has a link of its own: nothing but what lies behind it changes.
    std::fs::hard_link(bench.path("one/answers.py"), bench.path("modules/answers.py")).unwrap();
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let answer = async |function: &str| {
        let (rid, body) = caller.envelope(now(), function, None);
        caller.open(&rid, &server.post(body).await).outcome
    };
    assert_eq!(answer("answers").await, Ok("one".into()));
    std::os::unix::fs::symlink("two", bench.path("next")).unwrap();
    std::fs::rename(bench.path("next"), bench.path("now")).unwrap();
    std::fs::hard_link(bench.path("two/answers.py"), bench.path("modules/next")).unwrap();
    std::fs::rename(bench.path("modules/next"), bench.path("modules/answers.py")).unwrap();
    until("the other list is in force", async || answer("tell").await.is_ok()).await;
    until("the other module answers", async || answer("answers").await == Ok("two".into())).await;
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_read_is_tried_again_and_told_of_once() {
    let bench = ProgramFolder::new();
    std::fs::create_dir(bench.path("plugins")).unwrap();
    let config = "[Doors]\nplugin=on\n[paths]\nplugins=plugins\n";
    bench.write("config/config.ini", config);
    let server = bench.serve();
    bench.write("config/config.ini", &format!("{config}[auth]\nApikeyFile=key.txt\n"));
    let log = || server.log.lock().unwrap().clone();
    until("it is told", async || log().contains("not reloaded (a file has changed): ")).await;
    // A file that no stamp is kept of.
    bench.write("key.txt", "a-key-that-is-long-enough\n");
    until("it is taken up", async || log().contains("reloaded: what was wrong may be right now")).await;
    assert_eq!(log().matches("not reloaded").count(), 1, "{}", log());
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_the_next_start_is_told_by_name() {
    let bench = ProgramFolder::new();
    bench.write("config/config.ini", "[Limits]\nBody=32K\n");
    let server = bench.serve();
    let log = || server.log.lock().unwrap().clone();
    let reloaded = async |times| {
        until("it is read again", async || log().matches("reloaded: a file has changed").count() == times)
            .await;
    };
    // Another word for the same, and a key that counts at once, are not named.
    let waiting =
        "[Server]\nKeypath=elsewhere\n[Log]\nJson=off\n[Limits]\nHeadTimeout=9\n[Runners]\nSearchPath=more\n";
    bench.write("config/config.ini", &format!("{waiting}[Clients]\nRequestTTL=40\n"));
    reloaded(1).await;
    let told =
        "[Server] Keypath, [Limits] HeadTimeout and [Runners] SearchPath take effect at the next start\n";
    assert!(log().contains(&format!(": {told}")), "{}", log());
    bench.write("config/config.ini", "[paths]\npidfile=server.pid\n");
    reloaded(2).await;
    assert!(log().contains(": [paths] pidfile takes effect at the next start\n"), "{}", log());
    bench.write("config/config.ini", "[Clients]\nRequestTTL=50\n[Limits]\nBody=16K\n");
    reloaded(3).await;
    assert_eq!(
        log().matches("at the next start").count(),
        2,
        "what is as at the start does not wait: {}",
        log()
    );
    bench.write("config/config.ini", waiting);
    reloaded(4).await;
    assert!(server.stop().success());
    assert!(!bench.path("sec/control.sock").exists(), "the socket of this start is removed");
    assert!(!bench.path("server.pid").exists() && !bench.path("elsewhere").exists());
}

/// Lets a link lead elsewhere in one step.
fn lead(link: &std::path::Path, target: &str) {
    let next = link.with_extension("next");
    std::os::unix::fs::symlink(target, &next).unwrap();
    std::fs::rename(&next, link).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn links_to_a_release_are_followed_when_the_old_one_has_gone() {
    let bench = ProgramFolder::new();
    for release in ["one", "two"] {
        bench.write(&format!("{release}/modules/helper.py"), &format!("NAME = '{release}'\n"));
        let answers = "import helper\n\ndef entry_call():\n    return helper.NAME\n";
        bench.write(&format!("{release}/modules/answers.py"), answers);
        let program = format!("#!/bin/sh\nprintf {release}\n");
        bench.program(&format!("{release}/modules/program"), &program);
        bench.write(&format!("data-{release}/text"), release);
    }
    let data = bench.path("data");
    let reads = format!("def entry_call():\n    return open({:?}).read()\n", data.join("text"));
    bench.write("own/reads.py", &reads);
    lead(&bench.path("current"), "one");
    lead(&data, "data-one");
    bench.write("config/config.ini", "[Runners]\nSearchPath=current/modules:own\n");
    let list = "[Modules]\nanswers=answers\nprogram=program\nreads=reads\n";
    bench.write("config/modules.ini", &format!("{list}[reads]\nPaths={}\n", data.display()));
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    let answer = async |function: &str| {
        let (rid, body) = caller.envelope(now(), function, None);
        caller.open(&rid, &server.post(body).await).outcome.ok()
    };
    for function in ["answers", "program", "reads"] {
        assert_eq!(answer(function).await, Some("one".into()), "{function}");
    }
    lead(&bench.path("current"), "two");
    lead(&data, "data-two");
    bench.remove("one");
    for function in ["answers", "program"] {
        until("the new release answers", async || answer(function).await == Some("two".into())).await;
    }
    // What a function may read is the operator's to change, not that of whoever can change a link.
    assert_eq!(answer("reads").await, None);
    server.signal(rustix::process::Signal::HUP);
    until("the new data is read", async || answer("reads").await == Some("two".into())).await;
    assert!(server.stop().success());
}
