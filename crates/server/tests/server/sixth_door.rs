//! A door that no other knows: `GET /hello/<function>` for the holder of an api key. What it takes to make one.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use msp_core::clock::{Clock, ManualClock};
use msp_core::{
    Access, CallRefusal, Caller, Calls, Door, Grants, Guard, Identity, Input, NewApiKey, Output, Rates,
    Registry, Replies, RequestIds,
};
use msp_guard::{MemoryGuard, MemoryGuardConfig};
use msp_http::{ApiKeys, Peer, PresentedKey, UnderWay, bearer};
use msp_protocol::{Digest, FunctionName};
use msp_runners::{IsolationConfig, Runners, RunnersConfig};
use msp_settings::{ProxySettings, Settings};

use msp_testkit::{Answered, NOW, ServerBuilder, TestServer, http};

struct Hello {
    clock: Arc<dyn Clock>,
    calls: Calls,
    api_keys: ApiKeys,
    ids: RequestIds,
    proxy: ProxySettings,
}

/// It carries text, and tells only whether something went wrong.
struct Text;

impl Replies for Text {
    fn carry(&self, output: &Output) -> Result<(), CallRefusal> {
        match output {
            Output::Value(value) if value.is_string() => Ok(()),
            Output::Value(_) | Output::Response(_) => Err(CallRefusal::NotText),
        }
    }

    fn told(&self, _refusal: &CallRefusal) -> &'static str {
        "400"
    }
}

impl Hello {
    /// Who asks, if it holds a key.
    fn caller(&self, request: &HttpRequest) -> Option<Arc<Caller>> {
        let key = bearer(request.headers().get(AUTHORIZATION)?.as_bytes())?;
        let key = PresentedKey { digest: Digest::of(key), in_query: false };
        let record = self.api_keys.find(key, self.clock.unix())?.ok()?;
        Some(Arc::new(Caller {
            identity: Identity::ApiKey { digest: record.digest, name: record.name.clone() },
            grants: record.grants.clone(),
            ceiling: Access::Read,
            door: Door::named("hello"),
            address: Peer::of(request, &self.proxy).address,
            request: self.ids.next(),
        }))
    }
}

async fn receive(request: HttpRequest, door: Data<Hello>) -> HttpResponse {
    let _under_way = UnderWay::begin(&request);
    let Some(caller) = door.caller(&request) else { return HttpResponse::Unauthorized().finish() };
    let Ok(name) = request.match_info().query("function").parse::<FunctionName>() else {
        return HttpResponse::NotFound().finish();
    };
    match door.calls.call(&caller, &name, Input::default(), &Text).await {
        Ok(Output::Value(serde_json::Value::String(text))) => {
            HttpResponse::Ok().body(format!("hello: {text}"))
        }
        Ok(_) | Err(_) => HttpResponse::BadRequest().finish(),
    }
}

fn configure(config: &mut ServiceConfig) {
    config.route("/hello/{function}", web::get().to(receive));
}

/// The door, beside real parts, on a listener of its own.
async fn serve(builder: &ServerBuilder, registry: &Arc<dyn Registry>) -> SocketAddr {
    let settings = Settings::load(&builder.sources()).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(NOW));
    let guard = MemoryGuardConfig {
        request_ttl: settings.clients.request_ttl,
        address_ttl: settings.server.address_ttl,
        max_entries: settings.guard.max_entries,
        caller_share: settings.guard.caller_share,
        ..MemoryGuardConfig::default()
    };
    let guard = MemoryGuard::start(guard, clock.clone(), registry.clone()).await.unwrap();
    let isolation = IsolationConfig {
        launcher: env!("CARGO_BIN_EXE_msp-server").into(),
        require: None,
        user: None,
        scratch: builder.path().join("scratch"),
        private: Vec::new(),
        control_group: Err("a test".to_owned()),
    };
    let (search_path, python) = (settings.search_path, settings.runners.python);
    let config = RunnersConfig { search_path, python, python_workers: 1, isolation, version: "1" };
    let runners = Runners::start(config, settings.modules, None, clock.clone()).await.unwrap();
    runners.loaded().await;
    let api_keys = ApiKeys::default();
    api_keys.take_up(registry.snapshot().await.unwrap().api_keys);
    let calls = Calls::new(clock.clone(), Arc::new(runners), Guard::of(guard), Rates::new(0, 0));
    let ids = RequestIds::from(1);
    let door = Data::new(Hello { clock: clock.clone(), calls, api_keys, ids, proxy: settings.proxy });
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let mount = move |config: &mut ServiceConfig| configure(config.app_data(door.clone()));
    tokio::spawn(msp_http::serve(listener, mount, settings.limits, None, clock).unwrap());
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_door_needs_nothing_of_another_and_shares_the_pipeline() {
    let builder = TestServer::builder();
    let registry = builder.registry().await;
    let grants = Grants::Listed([("time*".parse().unwrap(), Access::Read)].into());
    let name = "kim".parse().unwrap();
    let key = NewApiKey { name, digest: Digest::of(b"key"), grants, expires: None, allow_query: false };
    registry.add_api_key(&key, "test").await.unwrap();
    let address = serve(&builder, &registry).await;
    let ask = async |function: &str, key: &str| {
        let asked = http().get(format!("http://{address}/hello/{function}")).bearer_auth(key);
        let answered = Answered::of(asked.send().await.unwrap()).await;
        (answered.status, answered.body)
    };
    assert_eq!(
        ask("time_test", "key").await,
        (200, "hello: It is currently: \n\tSat Mar 30 13:20:53 2024".to_owned())
    );
    assert_eq!(ask("time_test", "another").await.0, 401);
    assert_eq!(ask("echo", "key").await.0, 400, "no grant covers it");
    assert_eq!(ask("time_none", "key").await.0, 400);
}
