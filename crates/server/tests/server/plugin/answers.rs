//! What plugins may return, and what becomes of it.

use serde_json::json;

use super::{builder, plugin};
use msp_testkit::TestServer;

async fn server(handlers: &[(&str, &str)]) -> TestServer {
    let sources: Vec<_> = handlers
        .iter()
        .map(|(class, body)| {
            let body = body.replace("RETURN", "def request_handler(self, **data):\n    return");
            let source = format!("from aiohttp import web\n{}", plugin(class, &body));
            (format!("{}.py", class.to_lowercase()), source)
        })
        .collect();
    let plugins: Vec<_> = sources.iter().map(|(name, source)| (name.as_str(), source.as_str())).collect();
    builder("", &plugins).start().await
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_10_the_status_is_used_and_each_kind_of_body_has_its_type() {
    let server = server(&[
        ("Teapot", "RETURN (418, {'a': 1})"),
        ("Array", "RETURN (200, [1, 2])"),
        ("Html", "RETURN (200, '<b>ü</b>')"),
        ("Gone", "RETURN 410, 'gone'"),
        ("Nothing", "RETURN 200, None"),
        ("Created", "RETURN 201, None"),
        ("Bytes", "RETURN 200, b'\\x00\\xff'"),
        ("Number", "RETURN 200, 5"),
        ("Odd", "RETURN 99, 'x'"),
        ("Object", "RETURN 200, object()"),
        ("Nan", "RETURN 200, float('nan')"),
    ])
    .await;
    let kind = async |path: &str| {
        let answered = server.get(path).await;
        let kind = answered.header("content-type").map(str::to_owned);
        (answered.status, kind, answered.body)
    };
    let expect = |status: u16, kind: &str, body: &str| (status, Some(kind.to_owned()), body.to_owned());
    let json = "application/json";
    assert_eq!(kind("/teapot").await, expect(418, json, r#"{"a":1}"#));
    assert_eq!(kind("/array").await, expect(200, json, "[1,2]"));
    assert_eq!(kind("/html").await, expect(200, "text/html; charset=utf-8", "<b>ü</b>"));
    assert_eq!(kind("/gone").await, expect(410, "text/html; charset=utf-8", "gone"));
    assert_eq!(kind("/nothing").await, (204, None, String::new()));
    assert_eq!(kind("/created").await.0, 201);
    assert_eq!(kind("/number").await, expect(200, json, "5"));
    let bytes = server.http().get(server.url("/bytes")).send().await.unwrap();
    assert_eq!(bytes.headers()["content-type"], "application/octet-stream");
    assert_eq!(&bytes.bytes().await.unwrap()[..], b"\x00\xff");
    for failing in ["/odd", "/object", "/nan"] {
        assert_eq!(kind(failing).await, expect(500, json, r#"{"error":"internal error"}"#), "{failing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_11_a_response_object_is_sent_as_it_is_and_a_bare_value_means_200() {
    let response = "web.Response(status=202, text='hi', content_type='text/plain', headers={'X-Own': 'a', 'X-Two': 'b'})";
    let server = server(&[
        ("Alone", &format!("RETURN {response}")),
        ("Pair", &format!("RETURN 500, {response}")),
        ("Json", "RETURN web.json_response({'a': [1]}, status=409)"),
        ("Cookie", "def request_handler(self, **data):\n    answer = web.Response(text='x')\n    answer.set_cookie('a', 'b', httponly=True, max_age=5)\n    answer.set_cookie('c', 'd')\n    return 200, answer"),
        ("Bare", "RETURN {'a': 1}"),
        ("List", "RETURN [1]"),
        ("Text", "RETURN 'x'"),
        ("Raised", "def request_handler(self, **data):\n    raise web.HTTPFound('/elsewhere')"),
        ("Split", "RETURN web.Response(text='x', headers={'X-A': 'b\\r\\nX-Evil: 1'})"),
    ])
    .await;
    for path in ["/alone", "/pair"] {
        let answered = server.get(path).await;
        assert_eq!((answered.status, answered.body.as_str()), (202, "hi"), "{path}");
        assert_eq!((answered.header("x-own"), answered.header("x-two")), (Some("a"), Some("b")));
        assert_eq!(answered.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    let answered = server.get("/json").await;
    assert_eq!((answered.status, answered.json()), (409, json!({"a": [1]})));
    let cookies = server.get("/cookie").await.headers;
    assert!(
        cookies.contains("set-cookie: a=b; HttpOnly; Max-Age=5; Path=/\nset-cookie: c=d; Path=/"),
        "{cookies}"
    );
    assert_eq!(server.get("/bare").await.status_and_body(), (200, r#"{"a":1}"#));
    assert_eq!(server.get("/list").await.status_and_body(), (200, "[1]"));
    assert_eq!(server.get("/text").await.header("content-type"), Some("text/html; charset=utf-8"));
    let raised = server.raw_get("/raised").await;
    assert!(raised.starts_with("HTTP/1.1 302") && raised.contains("location: /elsewhere"), "{raised}");
    assert_eq!(server.get("/split").await.status, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_12_an_exception_is_500_without_a_trace_and_the_plugin_goes_on() {
    let server = server(&[(
        "Moody",
        "async def request_handler(self, **data):\n    if data.get('bad'):\n        raise ValueError('the secret inside')\n    return {'ok': True}",
    )])
    .await;
    for _ in 0..3 {
        assert_eq!(
            server.get("/moody?bad=1").await.status_and_body(),
            (500, r#"{"error":"internal error"}"#)
        );
        assert_eq!(server.get("/moody").await.status_and_body(), (200, r#"{"ok":true}"#));
    }
    assert_eq!(server.get("/moody?bad=1").await.status, 500);
    assert!(server.why().await.contains("ValueError: the secret inside"), "{}", server.why().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_09_handlers_are_sync_or_async_and_initialize_runs_once_before_the_first_call() {
    let server = server(&[
        ("Plain", "RETURN 200, {'kind': 'sync'}"),
        (
            "Stateful",
            "async def initialize(self, **kwargs):
    import asyncio
    self.started = getattr(self, 'started', 0) + 1
    self.ticks = 0
    self.task = asyncio.create_task(self.tick())
async def tick(self):
    import asyncio
    while True:
        self.ticks += 1
        await asyncio.sleep(0.01)
async def request_handler(self, **data):
    import asyncio
    before = self.ticks
    await asyncio.sleep(0.1)
    return {'started': self.started, 'ticked': self.ticks > before}",
        ),
    ])
    .await;
    assert_eq!(server.get("/plain").await.json(), json!({"kind": "sync"}));
    for _ in 0..2 {
        assert_eq!(server.get("/stateful").await.json(), json!({"started": 1, "ticked": true}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_17_parameters_and_the_json_file_arrive_as_keywords_of_the_constructor() {
    let body = "def __init__(self, **kwargs):
    super().__init__(**kwargs)
    self.given = {name: kwargs[name] for name in ('a', 'b', 'c', 'json')}
    self.section = [self.config.mine.number, self.config['MINE']['keys'], 'auth' in self.config]
def request_handler(self, **data):
    return {'given': self.given, 'section': self.section, 'key': 'apikey' in self.config.get('auth', {})}";
    let sections = "[auth]\napikey=abc\n[Mine]\nnumber=int:5\nkeys=list:a int:1\nempty=\n[Empty]\n\
                    [plugin_parms]\nGiven=a=1&b=2&c=x+y%21&d=&json=more.json";
    let server =
        builder(sections, &[("GIVEN.py", &plugin("Given", body)), ("more.json", r#"{"b": {"x": 1}}"#)])
            .start()
            .await;
    let given = json!({"a": "1", "b": {"x": 1}, "c": "x y!", "json": "more.json"});
    assert_eq!(
        server.get("/given").await.json(),
        json!({"given": given, "section": [5, ["a", 1], true], "key": false})
    );
}
