//! Keys: the door's, a plugin's, and named ones of the registry.

use msp_core::{Access, Grants, NewApiKey};
use msp_protocol::Digest;
use reqwest::Method;
use serde_json::json;

use super::{KEY, WithKey, builder, loaded, plugin, shows};
use msp_testkit::{NOW, Peer, ServerBuilder, TestServer};

const UNAUTHORIZED: (u16, &str) = (403, r#"{"error":"unauthorized"}"#);

fn guarded() -> ServerBuilder {
    builder(
        &format!(
            "[auth]\napikey={KEY}\n[plugin_parms]\nguarded=auth_type=global\nalias=auth=Global\n\
             own=auth_type=plugin&apikey=own-key-99\nfoo=auth_type=foo\nkeyless=auth_type=plugin\n\
             named=auth_type=named"
        ),
        &[
            ("guarded.py", &shows("Guarded")),
            ("alias.py", &shows("Alias")),
            ("own.py", &shows("Own")),
            ("foo.py", &shows("Foo")),
            ("keyless.py", &shows("Keyless")),
            ("named.py", &shows("Named")),
            ("open.py", &shows("Open")),
        ],
    )
}

/// Adds a named key and gives its text.
async fn named(
    server: &TestServer,
    name: &str,
    allow: &[(&str, Access)],
    change: impl FnOnce(&mut NewApiKey),
) -> String {
    let text = format!("msp_{name}-0123456789");
    let rows: Vec<_> = allow.iter().map(|(pattern, access)| (pattern.parse().unwrap(), *access)).collect();
    let mut new = NewApiKey {
        name: name.parse().unwrap(),
        digest: Digest::of(text.as_bytes()),
        grants: if rows.is_empty() { Grants::Standard } else { Grants::Listed(rows.into()) },
        expires: None,
        allow_query: false,
    };
    change(&mut new);
    server.registry.add_api_key(&new, "test").await.unwrap();
    server.up_to_date().await;
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_02_the_control_routes_ask_for_the_key_and_take_it_from_five_places() {
    let server = builder(&format!("[auth]\napikey={KEY}"), &[("p.py", &shows("P"))]).start().await;
    for path in ["/plugins", "/reload/p", "/reload/all", "/openapi.json"] {
        assert_eq!(server.get(path).await.status_and_body(), UNAUTHORIZED, "{path}");
        let wrong = server.asking(Method::GET, path).bearer_auth("wrong");
        assert_eq!(server.send(wrong).await.status_and_body(), UNAUTHORIZED, "{path}");
    }
    let post = || server.asking(Method::POST, "/plugins");
    let multipart =
        format!("--b\r\nContent-Disposition: form-data; name=\"apikey\"\r\n\r\n{KEY}\r\n--b--\r\n");
    for asked in [
        server.asking(Method::GET, "/plugins").bearer_auth(KEY),
        server.asking(Method::GET, "/plugins").header("X-Custom-Auth", KEY),
        post().json(&json!({"apikey": KEY})),
        post().form(&[("apikey", KEY)]),
        post().header("Content-Type", "multipart/form-data; boundary=b").body(multipart),
        server.asking(Method::GET, &format!("/plugins?apikey={KEY}")),
    ] {
        assert_eq!(server.send(asked).await.json(), loaded(&["p"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_control_routes_are_shut_unless_the_operator_opened_them_and_never_open_to_pages() {
    let plugins = [("p.py", shows("P"))];
    let plugins: Vec<_> = plugins.iter().map(|(name, source)| (*name, source.as_str())).collect();
    let shut = builder("", &plugins).start().await;
    assert_eq!(shut.get("/plugins").await.status_and_body(), UNAUTHORIZED);
    let open = builder("[auth]\ncontrol_open=bool:true", &plugins).start().await;
    assert_eq!(open.get("/plugins").await.json(), loaded(&["p"]));
    for (name, value) in
        [("Origin", "https://a.example"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site")]
    {
        let asked = open.asking(Method::GET, "/reload/all").header(name, value);
        assert_eq!(open.send(asked).await.status_and_body(), UNAUTHORIZED, "{name}: {value}");
    }
    // Whoever asks has no name that the audit could keep, and may ask without end.
    let audited = open.registry.audit_rows(100).await.unwrap().len();
    for path in ["/reload/p", "/reload/none", "/reload/all"] {
        open.get(path).await;
    }
    assert_eq!(open.registry.audit_rows(100).await.unwrap().len(), audited);
    for value in ["none", "same-origin"] {
        let asked = open.asking(Method::GET, "/plugins").header("Sec-Fetch-Site", value);
        assert_eq!(open.send(asked).await.status, 200, "{value}");
    }
    for pair in [["none", "cross-site"], ["cross-site", "none"]] {
        let asked = pair
            .iter()
            .fold(open.asking(Method::GET, "/plugins"), |asked, site| asked.header("Sec-Fetch-Site", *site));
        assert_eq!(open.send(asked).await.status_and_body(), UNAUTHORIZED, "{pair:?}");
    }
    let keyed = builder(&format!("[auth]\napikey={KEY}\ncontrol_open=yes"), &plugins).start().await;
    assert_eq!(keyed.get("/plugins").await.status_and_body(), UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_03_header_and_scheme_work_in_any_case() {
    let server = guarded().start().await;
    for (head, key) in [
        ("x-custom-auth", KEY.to_owned()),
        ("AUTHORIZATION", format!("bearer  {KEY} ")),
        ("Authorization", format!("BEARER {KEY}")),
    ] {
        let request =
            format!("GET /guarded HTTP/1.1\r\nHost: localhost\r\n{head}: {key}\r\nConnection: close\r\n\r\n");
        let answer = server.raw(&request).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{head}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_04_a_guarded_plugin_refuses_with_403_and_its_own_key_is_not_the_doors() {
    let server = guarded().start().await;
    let with = async |path: &str, key: &str| {
        let answered = server.send(server.asking(Method::GET, path).bearer_auth(key)).await;
        (answered.status, answered.body)
    };
    for path in ["/guarded", "/own", "/named"] {
        assert_eq!(server.get(path).await.status_and_body(), UNAUTHORIZED, "{path}");
        assert_eq!(with(path, "wrong").await.0, 403, "{path}");
    }
    assert_eq!(with("/guarded", KEY).await.0, 200);
    assert_eq!(with("/guarded", "own-key-99").await.0, 403);
    assert_eq!(with("/own", "own-key-99").await.0, 200);
    assert_eq!(with("/own", KEY).await.0, 403);
    assert_eq!(with("/named", KEY).await.0, 403);
    assert_eq!(server.get("/open").await.status, 200);
    assert_eq!(with("/open", "whatever").await.0, 200);
    server.get("/guarded").await;
    assert_eq!(server.why().await, "guarded asks for an api key, and there was none");
    with("/guarded", "wrong").await;
    assert_eq!(server.why().await, "the api key that came does not open guarded");
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_05_auth_is_an_alias_and_an_unknown_kind_keeps_a_plugin_from_loading() {
    let server = guarded().start().await;
    assert_eq!(server.get("/alias").await.status_and_body(), UNAUTHORIZED);
    assert_eq!(server.get_with_key("/alias").await.status, 200);
    let all = server.get_with_key("/plugins").await.json();
    assert_eq!(all, loaded(&["alias", "guarded", "named", "open", "own"]));
    let without_key = builder("[plugin_parms]\np=auth_type=global", &[("p.py", &shows("P"))]).start().await;
    assert_eq!(without_key.get("/p").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn named_keys_open_what_their_grants_cover_until_they_expire_or_are_revoked() {
    let server =
        guarded().with_modules("time_test=simple_time\necho=echo\n[time_test]\nRoute=yes\n").start().await;
    let standard = named(&server, "standard", &[], |_| ()).await;
    let wide = named(&server, "wide", &[("*", Access::Read)], |new| new.expires = Some(NOW + 60)).await;
    let manager = named(&server, "manager", &[("plugin/*", Access::Write)], |_| ()).await;
    let lister =
        named(&server, "lister", &[("plugin/list", Access::Read)], |new| new.allow_query = true).await;
    let with = async |path: &str, key: &str| {
        server.send(server.asking(Method::GET, path).bearer_auth(key)).await.status
    };
    assert_eq!(with("/time_test", &standard).await, 200);
    assert_eq!(with("/guarded", &standard).await, 403);
    assert_eq!(server.why().await, "no grant of the api key standard covers guarded");
    for path in ["/guarded", "/own", "/named", "/open", "/time_test"] {
        assert_eq!(with(path, &wide).await, 200, "{path}");
    }
    assert_eq!(with("/plugins", &wide).await, 403);
    assert_eq!(with("/plugins", &lister).await, 200);
    assert_eq!(with("/reload/open", &lister).await, 403);
    assert_eq!(with("/reload/open", &manager).await, 200);
    assert_eq!(with("/guarded", &manager).await, 403);
    // A key in the query ends up in logs and histories: only one that was added for it counts.
    assert_eq!(server.get(&format!("/plugins?apikey={lister}")).await.status, 200);
    assert_eq!(server.get(&format!("/guarded?apikey={wide}")).await.status_and_body(), UNAUTHORIZED);
    assert_eq!(
        server.why().await,
        "the api key wide stood in the query, and was added without --allow-query"
    );
    server.clock().advance(std::time::Duration::from_secs(61));
    assert_eq!(with("/guarded", &wide).await, 403);
    assert_eq!(server.why().await, "the api key wide has expired");
    server.registry.revoke_api_key(&"lister".parse().unwrap(), "test").await.unwrap();
    server.up_to_date().await;
    assert_eq!(with("/plugins", &lister).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_25_no_plugin_sees_a_key_of_ours() {
    let body = "async def request_handler(self, **data):
    request = data['request']
    return {
        'values': sorted(name for name in data if name not in ('log', 'request')),
        'headers': sorted(data['request_headers']),
        'query': request.query_string,
        'body': await request.text(),
        'all': repr(data) + repr(vars(self)),
    }";
    let server = builder(
        &format!("[Log]\nLevel=DEBUG\n[auth]\napikey={KEY}\n[plugin_parms]\np=auth_type=global\nown=auth_type=plugin&apikey=own-key-99"),
        &[("p.py", &plugin("P", body)), ("own.py", &plugin("Own", body)), ("open.py", &plugin("Open", body))],
    )
    .start()
    .await;
    let key = named(&server, "wide", &[("*", Access::Read)], |new| new.allow_query = true).await;
    for (path, key) in [("/p", KEY), ("/p", &key), ("/own", "own-key-99"), ("/open", KEY), ("/open", &key)] {
        let post = || server.asking(Method::POST, path);
        for asked in [
            post().bearer_auth(key).body("a=1"),
            post().header("X-Custom-Auth", key),
            post().json(&json!({"apikey": key, "a": 1})),
            post().form(&[("apikey", key), ("a", "1")]),
            server.asking(Method::GET, &format!("{path}?a=1&apikey={key}")),
        ] {
            let answered = server.send(asked).await;
            assert_eq!(answered.status, 200, "{path} {answered:?}");
            let seen =
                answered.body.replace("'_apikey': 'own-key-99'", "").replace("'apikey': 'own-key-99'", "");
            assert!(!seen.contains(key), "{path}: {seen}");
        }
    }
    // Another's key is a plugin's own matter.
    let foreign = server.get("/open?apikey=weather&a=1").await;
    assert!(foreign.body.contains("weather"), "{foreign:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_operator_has_written_counts_before_what_a_plugin_says_of_itself() {
    let forgets = plugin(
        "Forgets",
        "def __init__(self, **kwargs):
    super().__init__(config=kwargs['config'], log=kwargs['log'])
def request_handler(self, **data):
    return 'in'",
    );
    let server = builder(
        &format!("[auth]\napikey={KEY}\n[plugin_parms]\nforgets=AUTH_TYPE=global\nkeyed=apikey=own-key-99"),
        &[("forgets.py", &forgets), ("keyed.py", &shows("Keyed"))],
    )
    .start()
    .await;
    assert_eq!(server.get("/forgets").await.status_and_body(), UNAUTHORIZED);
    assert_eq!(server.get_with_key("/forgets").await.status, 200);
    assert_eq!(server.get("/keyed").await.status, 404, "a key without auth_type is a mistake");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_of_ours_reaches_an_open_plugin_beside_another_one() {
    let body =
        "def request_handler(self, **data):\n    return 200, repr(sorted(data['request_headers'].items()))";
    let server =
        builder(&format!("[auth]\napikey={KEY}"), &[("open.py", &plugin("Open", body))]).start().await;
    let asked = server.asking(Method::GET, "/open").bearer_auth("theirs").header("X-Custom-Auth", KEY);
    let seen = server.send(asked).await.body;
    assert!(seen.contains("theirs") && !seen.contains(KEY), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_body_comes_late_is_judged_by_the_rules_of_then() {
    let server = builder(&format!("[auth]\napikey={KEY}"), &[("p.py", &shows("P"))]).start().await;
    let mut late = Peer::connect(server.address).await;
    let head = "POST /p HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{";
    assert!(late.send(head).await);
    let sections = format!("[auth]\napikey={KEY}\n[plugin_parms]\np=auth_type=global");
    std::fs::write(server.path("config/config.ini"), super::config(&server.path("plugins"), &sections))
        .unwrap();
    assert_eq!(server.get_with_key("/reload/p").await.status, 200);
    assert!(late.send("}").await);
    let answer = late.to_the_end().await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_count_against_their_address() {
    let server = guarded().start().await;
    for _ in 0..8 {
        assert_eq!(
            server.send(server.asking(Method::GET, "/guarded").bearer_auth("wrong")).await.status,
            403
        );
    }
    assert_eq!(
        server.ask(msp_core::control::Request::Bans).await,
        msp_core::control::Reply::Bans { bans: vec![] }
    );
    assert_eq!(server.get_with_key("/guarded").await.status, 200, "a ban never refuses proof");
}
