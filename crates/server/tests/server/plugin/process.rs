//! The program: signals, the pid file, logs, and a configuration of the Python plugin server.

use rustix::process::Signal;

use super::{KEY, config, plugin, shows, write};
use msp_testkit::{Answered, ProgramFolder, http, stdout, until};

const ENDS: &str = "def request_handler(self, **data):
    return 200, {'version': 1}
def terminate_plugin(self):
    print('put away')";

#[test]
fn plugin_26_sigterm_terminates_plugins_removes_the_pid_file_and_ends_well() {
    let bench = ProgramFolder::new();
    bench.write("plugins/ends.py", &plugin("Ends", ENDS));
    bench.write("config/config.ini", &config(&bench.path("plugins"), "[paths]\npidfile=server.pid"));
    let server = bench.serve();
    let id = std::fs::read_to_string(bench.path("server.pid")).unwrap();
    assert_eq!(id, format!("{}\n", server.id()));
    let log = server.log.clone();
    assert_eq!(server.stop().code(), Some(0));
    assert!(!bench.path("server.pid").exists());
    assert!(log.lock().unwrap().contains("plugin ends: put away"));
}

#[tokio::test(flavor = "multi_thread")]
async fn both_signals_load_plugins_anew() {
    let bench = ProgramFolder::new();
    let version =
        |number: u32| plugin("Version", &format!("def request_handler(self, **data):\n    return {number}"));
    bench.write("plugins/version.py", &version(0));
    bench.write("config/config.ini", &config(&bench.path("plugins"), ""));
    let server = bench.serve();
    for (number, signal) in [(1, Signal::HUP), (2, Signal::USR1)] {
        write(&bench.path("plugins"), "version.py", &version(number));
        server.signal(signal);
        until("the new code answers", async || {
            let answered = http().get(server.url("/version")).send().await.unwrap();
            Answered::of(answered).await.body == number.to_string()
        })
        .await;
    }
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_the_python_plugin_server_works_as_it_is() {
    let bench = ProgramFolder::new();
    bench.write("their/plugins/CpuInfo.py", &shows("CpuInfo"));
    bench.write(
        "their/plugins/web.py",
        &plugin("Web", "def request_handler(self, **data):\n    return self.config.mine.greeting"),
    );
    bench.write("their/html/index.html", "<p>home");
    bench.write(
        "pserv.ini",
        &format!(
            "[Network]\nbindto = 127.0.0.1\nlisten = int:0\n\n[Paths]\nbase = their\npluginpath = ${{base}}/plugins\n\
             documents = html:${{base}}/html\npidfile = their/pid\n\n[SSL]\nenabled = bool:false\n\n\
             [auth]\napikey = {KEY}\n\n[plugin_parms]\nCpuInfo = auth=global&route_path=cpu\n\n\
             [cors]\nenabled = bool:true\norigin_url = list:https://a.example\n    https://b.example\n\n\
             [mine]\ngreeting = hello ${{network:bindto}}\nkeys = 1\nclass = 2\n\n[empty]\n"
        ),
    );
    let server = bench.serve_with(|command| {
        command.args(["--plugins-config", "pserv.ini"]);
    });
    let get = async |path: &str, key: Option<&str>, origin: Option<&str>| {
        let mut asked = http().get(server.url(path));
        if let Some(key) = key {
            asked = asked.bearer_auth(key);
        }
        if let Some(origin) = origin {
            asked = asked.header("Origin", origin);
        }
        let answered = Answered::of(asked.send().await.unwrap()).await;
        (answered.status, answered.body)
    };
    assert_eq!(get("/web", None, None).await, (200, "hello 127.0.0.1".to_owned()));
    assert_eq!(get("/cpu", None, None).await.0, 403);
    assert_eq!(get("/cpu", Some(KEY), None).await.0, 200);
    assert_eq!(get("/html/", None, None).await, (200, "<p>home".to_owned()));
    assert_eq!(get("/web", None, Some("https://b.example")).await.0, 200);
    assert_eq!(get("/web", None, Some("https://c.example")).await.0, 403);
    assert_eq!(get("/plugins", Some(KEY), None).await.1, r#"{"loaded_plugins":["cpu","web"]}"#);
    assert!(bench.path("their/pid").exists());
    assert!(server.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_25_no_log_and_no_output_holds_a_key() {
    let bench = ProgramFolder::new();
    bench.write("plugins/p.py", &shows("P"));
    bench.write("plugins/own.py", &shows("Own"));
    let sections = format!(
        "[Log]\nLevel=DEBUG\n[auth]\napikey={KEY}\n[plugin_parms]\np=auth_type=global\nown=auth_type=plugin&apikey=own-key-99"
    );
    bench.write("config/config.ini", &config(&bench.path("plugins"), &sections));
    let server = bench.serve();
    let named = stdout(&bench.run("msp-admin", &["apikey", "add", "page", "--allow", "p", "--allow-query"]));
    let named = named.trim();
    let mut statuses = Vec::new();
    for key in [KEY, named, "own-key-99", "wrong-key-0815"] {
        for path in ["/p", "/own", "/plugins", "/nope"] {
            let asked = http().post(server.url(path)).bearer_auth(key);
            statuses.push(asked.send().await.unwrap().status().as_u16());
            http().get(server.url(&format!("{path}?apikey={key}"))).send().await.unwrap();
            http().post(server.url(path)).json(&serde_json::json!({"apikey": key})).send().await.unwrap();
        }
    }
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 4, "{statuses:?}");
    let reloaded = http().post(server.url("/reload/p")).bearer_auth(KEY).send().await.unwrap();
    assert_eq!(reloaded.status().as_u16(), 200);
    let why = stdout(&bench.run("msp-admin", &["why", "--last", "100"]));
    let audit = stdout(&bench.run("msp-admin", &["audit"]));
    assert!(audit.contains("plugin.reload"), "{audit}");
    let shown = stdout(&bench.run("msp-admin", &["check-config", "--show"]));
    let log = server.log.clone();
    assert!(server.stop().success());
    let mut all = vec![why, shown, audit, log.lock().unwrap().clone()];
    for file in std::fs::read_dir(bench.path("log")).unwrap().flatten() {
        all.push(std::fs::read_to_string(file.path()).unwrap());
    }
    for text in all {
        for key in [KEY, named, "own-key-99", "wrong-key-0815"] {
            let digest = msp_protocol::Digest::of(key.as_bytes());
            let begun: String = digest.as_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
            assert!(!text.contains(key) && !text.contains(&begun), "{key} or its digest in:\n{text}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_neither_for_a_reload_nor_for_a_call_beyond_the_drain() {
    let bench = ProgramFolder::new();
    let body = "async def request_handler(self, **data):
    import asyncio
    open(self.args['marks'] + '/called', 'w').close()
    await asyncio.sleep(3600)
def terminate_plugin(self):
    print('put away')";
    bench.write("plugins/slow.py", &plugin("Slow", body));
    bench.write("marks/x", "");
    let marks = bench.path("marks");
    let sections = format!(
        "[Limits]\nDrainTimeout=1\n[plugin_parms]\nslow=marks={0}&msp_paths=%2B{0}&msp_timeout=3600",
        marks.display()
    );
    bench.write("config/config.ini", &config(&bench.path("plugins"), &sections));
    let server = bench.serve();
    let call = tokio::spawn(http().get(server.url("/slow")).send());
    until("the call runs", async || marks.join("called").exists()).await;
    server.signal(Signal::HUP);
    until("the reload waits for the call", async || {
        server.log.lock().unwrap().contains("reloaded: asked to")
    })
    .await;
    let log = server.log.clone();
    let stopped = tokio::task::spawn_blocking(move || server.stop());
    let status = tokio::time::timeout(std::time::Duration::from_secs(10), stopped).await;
    assert!(status.unwrap().unwrap().success());
    assert!(log.lock().unwrap().contains("plugin slow: put away"));
    drop(call);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_only_written_down_makes_no_listener_private() {
    let bench = ProgramFolder::new();
    bench.write("plugins/p.py", &shows("P"));
    let write_bind = |address: &str| {
        bench.write(
            "config/config.ini",
            &config(&bench.path("plugins"), &format!("[network]\nbindto={address}")),
        );
    };
    write_bind("0.0.0.0");
    let server = bench.serve();
    let place = format!("http://127.0.0.1:{}/p", server.address.port());
    let ask = async || http().get(&place).send().await.unwrap().status().as_u16();
    assert_eq!(ask().await, 403);
    write_bind("127.0.0.1");
    until("the file was read", async || server.log.lock().unwrap().contains("reloaded: a file has changed"))
        .await;
    assert_eq!(ask().await, 403);
    assert!(server.stop().success());
}
