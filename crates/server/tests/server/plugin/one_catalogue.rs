//! One function, several doors.

use msp_core::{Access, Grants};
use serde_json::{Value, json};

use super::{KEY, WithKey, builder, plugin, shows};
use msp_testkit::{NOW, ProgramFolder, TestServer, stdout};

fn allow(patterns: &[&str], access: Access) -> Grants {
    Grants::Listed(patterns.iter().map(|pattern| (pattern.parse().unwrap(), access)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_answers_a_sealed_caller_as_it_answers_its_route() {
    let server = builder("", &[("shows.py", &shows("Shows"))]).start().await;
    let granted = server.add(Some("granted"), |new| new.grants = allow(&["sh*"], Access::Read)).await;
    let standard = server.linked("standard").await;
    let by_route = server.get("/shows/part?a=1").await.json();
    let args = json!({"a": "1", "subpath": "part"});
    let sealed = granted.call(&server, NOW, "shows", Some(args.clone())).await;
    assert_eq!(sealed, (200, Ok(by_route)));
    assert_eq!(
        granted.call(&server, NOW, "shows", Some(json!([1]))).await,
        (200, Err("bad_arguments".into()))
    );
    for stranger in [&standard, &server.unlinked().await] {
        assert_eq!(
            stranger.call(&server, NOW, "shows", Some(args.clone())).await,
            (200, Err("forbidden".into()))
        );
    }
    let (_, functions) = granted.call(&server, NOW, "msp/functions", None).await;
    assert_eq!(functions.unwrap()[0]["name"], "shows");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_caller_gets_text_json_and_failures_of_plugins() {
    let body = "def request_handler(self, what='', **data):
    if what == 'raise':
        raise ValueError('x')
    return {'text': (200, '<b>'), 'status': (404, {'e': 1}), 'none': None, 'bytes': b'\\xff'}[what]";
    let server = builder(
        "[plugin_parms]\nwrites=access=write",
        &[("forms.py", &plugin("Forms", body)), ("writes.py", &shows("Writes"))],
    )
    .start()
    .await;
    let caller = server.add(Some("c"), |new| new.grants = allow(&["*"], Access::Read)).await;
    let call = async |what: &str| caller.call(&server, NOW, "forms", Some(json!({"what": what}))).await.1;
    assert_eq!(call("text").await, Ok(json!("<b>")));
    assert_eq!(call("status").await, Ok(json!({"e": 1})));
    assert_eq!(call("none").await, Ok(Value::Null));
    assert_eq!(call("bytes").await, Err("function_failed".into()));
    assert_eq!(call("raise").await, Err("function_failed".into()));
    assert_eq!(caller.call(&server, NOW, "writes", None).await.1, Err("forbidden".into()));
    let writer = server.add(Some("w"), |new| new.grants = allow(&["*"], Access::Write)).await;
    assert!(writer.call(&server, NOW, "writes", None).await.1.is_ok());
}

async fn with_modules() -> TestServer {
    builder(&format!("[auth]\napikey={KEY}"), &[])
        .with_modules(
            "time_test=simple_time\necho=echo\ngreet=greet\nclosed=simple_time\nsysteminfo=systeminfo\nuptime=uptime\n\
             [time_test]\nRoute=open\n[greet]\nRoute=yes\n[echo]\nRoute=open\nAccess=write\n\
             [systeminfo]\nRoute=open\n[uptime]\nRoute=open\n",
        )
        .with_module("greet.py", "def entry_call(name='nobody'):\n    return {'hello': name}\n")
        .start()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_of_modules_ini_gets_a_route_when_it_says_so() {
    let server = with_modules().await;
    let time = server.get("/time_test").await;
    assert_eq!((time.status, time.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    assert!(time.body.starts_with("It is currently: \n\t"));
    assert_eq!(server.get("/closed").await.status, 404);
    assert_eq!(server.get("/greet?name=kim").await.status_and_body(), (403, r#"{"error":"unauthorized"}"#));
    assert_eq!(server.get_with_key("/greet?name=kim").await.json(), json!({"hello": "kim"}));
    let wrong = server.get_with_key("/greet/deep?nom=kim").await;
    assert_eq!(
        wrong.status_and_body(),
        (400, r#"{"error":"bad arguments: unknown: nom, subpath; it takes: name"}"#)
    );
    assert_eq!(server.get("/echo/a/b?x=1").await.json(), json!({"x": "1", "subpath": "a/b"}));
    assert_eq!(server.get_with_key("/plugins").await.json(), json!({"loaded_plugins": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_21_systeminfo_has_its_parts_by_route_and_an_unknown_one_is_404() {
    let server = with_modules().await;
    let whole = server.get("/systeminfo").await.json();
    let keys: Vec<_> = whole.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["cpu", "disk", "info", "net", "ram", "upgrades", "uptime"]);
    for part in keys {
        let alone = server.get(&format!("/systeminfo/{part}")).await;
        assert_eq!(alone.status, 200, "{part}");
        let shape = |value: &Value| value.is_object();
        assert_eq!(shape(&alone.json()), shape(&whole[part]), "{part}");
    }
    let unknown = server.get("/systeminfo/x").await;
    assert_eq!(unknown.status_and_body(), (404, r#"{"Error":"x is not a member of response_data"}"#));
    assert!(server.get("/uptime").await.json()["seconds"].is_u64());
}

#[test]
fn our_client_and_curl_get_the_same_of_one_plugin() {
    let bench = ProgramFolder::new();
    bench.write(
        "plugins/sums.py",
        &plugin("Sums", "def request_handler(self, a, b, **data):\n    return 200, {'sum': int(a) + int(b)}"),
    );
    bench.write("config/config.ini", "[Doors]\nplugin=on\n[paths]\nplugins=plugins\n");
    let server = crate::programs::clients::registered(&bench, &["--name", "laptop", "--allow", "sum*"]);
    let sealed = crate::programs::clients::call(
        &bench,
        "msp-client",
        &["call", &server.url("/v1"), "sums", "--arg", "a=2", "--arg", "b=3"],
    );
    let routed = bench.run("curl", &["-sS", &server.url("/sums?a=2&b=3")]);
    assert_eq!((sealed.trim_end(), stdout(&routed).as_str()), (r#"{"sum":5}"#, r#"{"sum":5}"#));
    let other =
        crate::programs::clients::call(&bench, "msp-client", &["call", &server.url("/v1"), "msp/functions"]);
    assert!(other.contains("sums"), "{other}");
    assert!(server.stop().success());
}
