//! Which routes there are, what they take, and what a plugin is given.

use reqwest::Method;
use serde_json::{Value, json};

use super::{KEY, WithKey, builder, loaded, plugin, shows};

fn door_key() -> String {
    format!("[auth]\napikey={KEY}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_with_bare_quotes_is_read_as_if_they_were_encoded() {
    let server = builder("", &[("p.py", &shows("P"))]).start().await;
    for (target, given) in [
        (r#"/p?a={"room":"hall"}"#, r#""a":"{\"room\":\"hall\"}""#),
        ("/p?a=<b>`c`", r#""a":"<b>`c`""#),
        (r#"/p/"x"<y>`z`"#, r#""subpath":"\"x\"<y>`z`""#),
    ] {
        let answer = server.raw_get(target).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(given), "{target}: {answer}");
    }
    let long = format!("/p?a={}", "\"".repeat(20_000));
    let answer = server.raw_get(&long).await;
    assert!(answer.contains(&"\\\"".repeat(20_000)), "{}", answer.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_01_every_file_with_a_plugin_gets_a_route_and_a_broken_one_stops_no_other() {
    let two = plugin("One", "def request_handler(self, **data):\n    return 200, {'one': 1}")
        + "\nclass Two(One):\n    def request_handler(self, **data):\n        return 200, {'two': 2}\n";
    let server = builder(
        &door_key(),
        &[
            ("two.py", &two),
            ("helper.py", "VALUE = 5\n"),
            ("uses.py", &format!("from helper import VALUE\n{}", plugin("Uses", "def request_handler(self, **data):\n    return {'value': VALUE}"))),
            ("broken.py", "this is no Python\n"),
            ("raises.py", "raise SystemExit(3)\n"),
            ("bare.py", &plugin("Bare", "pass")),
            ("constructor.py", &plugin("Constructor", "def __init__(self, **kwargs):\n    raise ValueError('no')\ndef request_handler(self, **data):\n    pass")),
        ],
    )
    .start()
    .await;
    assert_eq!(server.get("/one").await.json(), json!({"one": 1}));
    assert_eq!(server.get("/two").await.json(), json!({"two": 2}));
    assert_eq!(server.get("/uses").await.json(), json!({"value": 5}));
    assert_eq!(server.get_with_key("/plugins").await.json(), loaded(&["one", "two", "uses"]));
    for broken in ["/broken", "/bare", "/constructor", "/helper"] {
        assert_eq!(server.get(broken).await.status, 404, "{broken}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_13_the_query_overrides_the_body_and_of_a_repeated_name_the_first_counts() {
    let server = builder("", &[("p.py", &shows("P"))]).start().await;
    let given = async |path: &str| server.get(path).await.json();
    let mine = |value: Value| {
        let mut all = json!({"subpath": null, "client_ip": "127.0.0.1"});
        all.as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
        all
    };
    assert_eq!(given("/p?k=1&k=2").await, mine(json!({"k": "1"})));
    assert_eq!(given("/p").await, mine(json!({})));
    assert_eq!(given("/p/a/b?x=%20+").await, mine(json!({"subpath": "a/b", "x": "  "})));
    let posted = server.asking(Method::POST, "/p?k=query").json(&json!({"k": "body", "l": [1]}));
    assert_eq!(server.send(posted).await.json(), mine(json!({"k": "query", "l": [1]})));
    let form = server.asking(Method::POST, "/p").form(&[("k", "1"), ("k", "2"), ("ü", "ß")]);
    assert_eq!(server.send(form).await.json(), mine(json!({"k": "1", "ü": "ß"})));
    let got = server.asking(Method::GET, "/p").body(r#"{"k": 1}"#);
    assert_eq!(server.send(got).await.json(), mine(json!({})));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_14_names_that_the_server_sets_cannot_be_set_from_outside() {
    let body = "def request_handler(self, **data):
    return {
        'request': data['request'].path,
        'headers': data['request_headers']['x-probe'] + data['request_headers'].get('X-PROBE'),
        'names': sorted(data['request_headers'])[-1],
        'log': callable(data['log']),
        'ip': data['client_ip'],
        'subpath': data['subpath'],
    }";
    let server = builder("", &[("p.py", &plugin("P", body))]).start().await;
    let expected = json!({
        "request": "/p", "headers": "ab", "names": "X-Probe", "log": true, "ip": "127.0.0.1", "subpath": null
    });
    let expected = expected.to_string().replace("\"ab\"", "\"11\"");
    let expected: Value = serde_json::from_str(&expected).unwrap();
    for query in ["request_headers=x", "client_ip=1.2.3.4", "log=1", "request=1", "subpath=x", ""] {
        let asked = server.asking(Method::GET, &format!("/p?{query}")).header("X-Probe", "1");
        assert_eq!(server.send(asked).await.json(), expected, "{query}");
    }
    let all = json!({"request_headers": {}, "client_ip": "1.2.3.4", "log": 1, "request": 1, "subpath": "x"});
    let posted = server.asking(Method::POST, "/p").header("X-Probe", "1").json(&all);
    assert_eq!(server.send(posted).await.json(), expected);
    // An address that a stranger claims is none.
    let claimed =
        server.asking(Method::GET, "/p").header("X-Probe", "1").header("X-Forwarded-For", "1.2.3.4");
    assert_eq!(server.send(claimed).await.json(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_15_a_parameter_moves_a_plugin_and_ids_that_are_taken_are_refused() {
    let server = builder(
        &format!(
            "{}\n[plugin_parms]\nmoved=route_path=network\nslash=route_path=a/b\nreserved=route_path=reload\n\
             sealed=route_path=v1\nmodule=route_path=time_test\nspec=route_path=openapi.json",
            door_key()
        ),
        &[
            ("moved.py", &shows("Moved")),
            ("second.py", &shows("Network")),
            ("slash.py", &shows("Slash")),
            ("reserved.py", &shows("Reserved")),
            ("sealed.py", &shows("Sealed")),
            ("module.py", &shows("Module")),
            ("spec.py", &shows("Spec")),
            ("plugins.py", &shows("Plugins")),
            ("own.py", &plugin("Own", "def __init__(self, **kwargs):\n    super().__init__(**kwargs)\n    self._plugin_id = 'elsewhere'\ndef request_handler(self, **data):\n    return 200, 'here'")),
        ],
    )
    .start()
    .await;
    assert_eq!(server.get_with_key("/plugins").await.json(), loaded(&["elsewhere", "network"]));
    assert_eq!(server.get("/network").await.status, 200);
    assert_eq!(server.get("/elsewhere").await.body, "here");
    for none in ["/moved", "/own", "/a/b", "/slash", "/time_test"] {
        assert_eq!(server.get(none).await.status, 404, "{none}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_23_other_methods_are_405_other_routes_404_and_head_has_no_body() {
    let server = builder(&door_key(), &[("p.py", &shows("P"))]).start().await;
    for path in ["/p", "/p/x", "/plugins", "/reload/all"] {
        for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let answered = server.send(server.asking(method.clone(), path)).await;
            assert_eq!(
                answered.status_and_body(),
                (405, r#"{"error":"method not allowed"}"#),
                "{method} {path}"
            );
            let allowed = if path.starts_with("/reload") { "GET, POST" } else { "GET, HEAD, POST" };
            assert_eq!(answered.header("allow"), Some(allowed));
        }
    }
    for path in ["/", "/nope", "/plugins/x", "/reload", "/reload/", "/openapi.json/x", "/P", "/%70%2f", "/v2"]
    {
        let answered = server.get(path).await;
        assert_eq!(answered.status_and_body(), (404, r#"{"error":"not found"}"#), "{path}");
    }
    let head = server.send(server.asking(Method::HEAD, "/p?k=1")).await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(head.header("content-type"), Some("application/json"));
    assert_eq!(head.header("content-length"), Some("48"));
    assert_eq!(server.send(server.asking(Method::HEAD, "/reload/all").bearer_auth(KEY)).await.status, 405);
    assert_eq!(server.get("/%70").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_of_all_routes_says_what_they_take() {
    let body = "\"\"\"Adds.\n\n    More of it.\n    \"\"\"\ndef request_handler(self, a: int, b: float = 1.0, **data):\n    return a";
    let server = builder(
        &format!("{}\n[plugin_parms]\nadd=auth_type=global&access=write", door_key()),
        &[("add.py", &plugin("Add", body))],
    )
    .with_modules("time_test=simple_time\n[time_test]\nRoute=open\nDescription=Tells the time\n")
    .start()
    .await;
    assert_eq!(server.get("/openapi.json").await.status_and_body(), (403, r#"{"error":"unauthorized"}"#));
    let document = server.get_with_key("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/add", "/openapi.json", "/plugins", "/reload/all", "/reload/{name}", "/time_test"]);
    let add = &document["paths"]["/add"]["post"];
    assert_eq!((&add["description"], &add["tags"]), (&json!("Adds."), &json!(["write"])));
    assert_eq!(add["parameters"][0]["name"], "a");
    assert_eq!(add["parameters"][0]["required"], true);
    assert_eq!(add["parameters"][0]["schema"]["type"], "integer");
    assert_eq!(add["parameters"][1]["required"], false);
    assert_eq!(add["security"], json!([{"bearer": []}, {"header": []}]));
    let time = &document["paths"]["/time_test"]["get"];
    assert_eq!((&time["description"], &time["security"]), (&json!("Tells the time"), &Value::Null));
}
