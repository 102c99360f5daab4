//! What an operator does to a server that runs: takes the log away, and says SIGHUP hundreds of times.

use rustix::process::Signal;

use msp_testkit::{ProgramFolder, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_log_folder_that_is_removed_costs_no_call_and_comes_back() {
    let bench = ProgramFolder::new();
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    for _ in 0..3 {
        bench.remove("log");
        until("it is written to again", async || {
            assert_eq!(server.post(caller.fresh("time_test")).await.status, 200);
            server.signal(Signal::HUP);
            std::fs::read_to_string(bench.path("log/latest.log")).is_ok_and(|log| log.contains("reloaded"))
        })
        .await;
    }
    // A file in the folder's place keeps lines from the file for as long as it is there.
    until("a file stands there", async || {
        bench.remove("log");
        bench.place("log", "not a folder", 0o644).is_ok()
    })
    .await;
    server.signal(Signal::HUP);
    for _ in 0..10 {
        assert_eq!(server.post(caller.fresh("time_test")).await.status, 200);
    }
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_sighups_refuses_no_call() {
    const CALLS: usize = 300;
    let bench = ProgramFolder::new();
    let server = bench.serve();
    let caller = bench.client(&server, "laptop").await;
    for call in 0..CALLS {
        // Every other time with something to take up.
        let functions = if call % 2 == 0 { "echo=echo\n" } else { "" };
        bench.write("config/modules.ini", &format!("[Modules]\ntime_test=simple_time\n{functions}"));
        server.signal(Signal::HUP);
        server.signal(Signal::HUP);
        assert_eq!(server.post(caller.fresh("time_test")).await.status, 200, "call {call}");
    }
    bench.write("config/modules.ini", "[Modules]\ntime_test=simple_time\nlast=echo\n");
    server.signal(Signal::HUP);
    until("the last word counts", async || {
        let (rid, body) = caller.envelope(msp_testkit::now(), "last", None);
        caller.open(&rid, &server.post(body).await).outcome.is_ok()
    })
    .await;
    assert!(server.stop().success());
}
