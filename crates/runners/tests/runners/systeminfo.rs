//! `systeminfo` and its views.

use msp_core::{Body, FunctionLimits, Input, Output, Request, RunError, permit, run};
use serde_json::{Value, json};

use crate::support::{Folder, Running, caller, until};

const VIEWS: [(&str, &str); 5] =
    [("cpuinfo", "cpu"), ("diskinfo", "disk"), ("ifinfo", "net"), ("raminfo", "ram"), ("uptime", "uptime")];

async fn start() -> Running {
    let mut folder = Folder::new();
    for function in ["systeminfo"].into_iter().chain(VIEWS.map(|(view, _)| view)) {
        folder.list(function, function, FunctionLimits::default());
    }
    folder.start().await
}

async fn web(running: &Running, function: &str, args: Value, subpath: Option<&str>) -> (u16, Value) {
    let name = function.parse().unwrap();
    let permit = permit(&caller(), &running.runners.catalogue(), &name).unwrap();
    let request = Request { subpath: subpath.map(str::to_owned), ..Request::default() };
    match run(permit, Input { args: Some(args), request: Some(request.into()) }).await.unwrap() {
        Output::Value(value) => (200, value),
        Output::Response(response) => {
            let (status, headers, body) = response.into_parts();
            assert_eq!(headers, [("content-type".to_owned(), "application/json".to_owned())]);
            let Body::Bytes(body) = body else { panic!("a stream") };
            (status, serde_json::from_slice(&body).unwrap())
        }
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Asserts the exact keys, in the order of the alphabet, and that each value is of the kind.
fn all(value: &Value, names: &[&str], is: fn(&Value) -> bool) {
    assert_eq!(keys(value), names);
    assert!(value.as_object().unwrap().values().all(is), "{value}");
}

fn floats(value: &Value, count: usize) -> bool {
    value.as_array().is_some_and(|floats| floats.len() == count && floats.iter().all(Value::is_f64))
}

fn check_net(net: &Value) {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for entry in net.as_array().unwrap() {
        assert_eq!(keys(entry), ["address", "addresses6", "iface", "rx", "tx"]);
        let (address, length) =
            text(&entry["address"]).split_once('/').map(|(a, l)| (a.to_owned(), l.to_owned())).unwrap();
        address.parse::<std::net::Ipv4Addr>().unwrap();
        assert!(length.parse::<u8>().unwrap() <= 32);
        for address in entry["addresses6"].as_array().unwrap() {
            let address = text(address);
            address.split_once('/').unwrap().0.parse::<std::net::Ipv6Addr>().unwrap();
        }
        assert!(!text(&entry["iface"]).is_empty());
        for speed in [text(&entry["rx"]), text(&entry["tx"])] {
            assert!(speed == "N/A" || speed.ends_with("bps"), "{speed}");
        }
    }
    assert!(net.as_array().unwrap().iter().any(|entry| entry["address"] == "127.0.0.1/8"), "{net}");
}

fn check_cpu(cpu: &Value) {
    let names = ["cpu_count", "cpu_freq", "cpu_model", "loadavg", "percent", "stats", "times"];
    assert_eq!(keys(cpu), names);
    assert!(cpu["cpu_count"].as_u64().unwrap() > 0 && cpu["cpu_model"].is_string());
    assert!(cpu["cpu_freq"].is_null() || floats(&cpu["cpu_freq"], 3), "{cpu}");
    assert!(floats(&cpu["loadavg"], 3) && floats(&cpu["times"], 10), "{cpu}");
    assert!(cpu["percent"].is_f64() && (0.0..=100.0).contains(&cpu["percent"].as_f64().unwrap()), "{cpu}");
    let stats = cpu["stats"].as_array().unwrap();
    assert!(stats.len() == 4 && stats.iter().all(Value::is_u64) && stats[3] == 0, "{cpu}");
    assert!(cpu["times"][3].as_f64().unwrap() > 0.0 && stats[0].as_u64().unwrap() > 0, "{cpu}");
}

fn check_uptime(uptime: &Value) {
    assert_eq!(keys(uptime), ["pretty", "seconds"]);
    assert!(uptime["pretty"].as_str().unwrap().starts_with("up ") && uptime["seconds"].is_u64(), "{uptime}");
}

fn check_disk(disk: &Value) {
    let names = ["dev", "free", "friendly_dev", "fstype", "mount", "options", "percent", "total", "used"];
    for entry in disk.as_array().unwrap() {
        assert_eq!(keys(entry), names);
        for text in ["dev", "friendly_dev", "fstype", "mount", "options"] {
            assert!(entry[text].is_string(), "{entry}");
        }
        for number in ["free", "percent", "total", "used"] {
            assert!(entry[number].is_u64(), "{entry}");
        }
    }
}

fn check_ram(ram: &Value) {
    let mut bytes = ram.clone();
    assert!(bytes.as_object_mut().unwrap().remove("percent").unwrap().is_f64(), "{ram}");
    let names = ["active", "buffers", "cached", "free", "inactive", "shared", "slab", "total", "used"];
    all(&bytes, &names, Value::is_u64);
    assert!(ram["total"].as_u64().unwrap() >= ram["used"].as_u64().unwrap(), "{ram}");
}

fn check(part: &str, told: &Value) {
    match part {
        "cpu" => check_cpu(told),
        "disk" => check_disk(told),
        "info" => all(told, &["machine", "nodename", "release", "sysname", "version"], Value::is_string),
        "net" => check_net(told),
        "ram" => check_ram(told),
        "upgrades" => all(told, &["Upgradable packages"], Value::is_i64),
        "uptime" => check_uptime(told),
        part => panic!("{part} is no part"),
    }
}

#[tokio::test]
async fn plugin_21_systeminfo_has_exactly_its_parts_with_their_types() {
    let running = start().await;
    let told = running.call("systeminfo").await.unwrap();
    let parts = ["cpu", "disk", "info", "net", "ram", "upgrades", "uptime"];
    assert_eq!(keys(&told), parts);
    for part in parts {
        check(part, &told[part]);
    }
    assert!(told["net"].as_array().unwrap().iter().all(|entry| entry["tx"] == "N/A" && entry["rx"] == "N/A"));
    assert_eq!(told["info"]["sysname"], "Linux");
}

#[tokio::test]
async fn plugin_21_each_part_is_reachable_alone_by_path_and_by_argument() {
    let running = start().await;
    for part in ["cpu", "disk", "info", "net", "ram", "upgrades", "uptime"] {
        let (status, told) = web(&running, "systeminfo", json!({ "more": "1" }), Some(part)).await;
        assert_eq!(status, 200);
        check(part, &told);
        for name in ["part", "subpath"] {
            check(part, &running.call_with("systeminfo", Some(json!({ name: part }))).await.unwrap());
        }
    }
}

#[tokio::test]
async fn plugin_21_an_unknown_part_is_404_on_the_web_and_bad_arguments_elsewhere() {
    let running = start().await;
    let refused = json!({ "Error": "x is not a member of response_data" });
    assert_eq!(web(&running, "systeminfo", json!({}), Some("x")).await, (404, refused.clone()));
    assert_eq!(web(&running, "systeminfo", json!({ "part": "x" }), None).await, (404, refused));
    let message = "no such part: there are net, cpu, uptime, disk, upgrades, ram, info";
    assert_eq!(
        running.call_with("systeminfo", Some(json!({ "part": "x" }))).await,
        Err(RunError::BadArguments(message.into()))
    );
}

#[tokio::test]
async fn plugin_21_each_view_shows_its_part_whatever_its_path() {
    let running = start().await;
    for (view, part) in VIEWS {
        check(part, &running.call(view).await.unwrap());
        let (status, told) = web(&running, view, json!({ "part": "x" }), Some("x")).await;
        assert_eq!(status, 200);
        check(part, &told);
    }
}

#[tokio::test]
async fn plugin_21_a_view_gives_one_key_alone() {
    let running = start().await;
    let (status, told) = web(&running, "cpuinfo", json!({ "key": "percent" }), None).await;
    assert_eq!((status, keys(&told)), (200, vec!["percent"]));
    let refused = (400, json!({ "error": "key, x, not found." }));
    assert_eq!(web(&running, "cpuinfo", json!({ "key": "x" }), None).await, refused);
    assert_eq!(web(&running, "diskinfo", json!({ "key": "x" }), None).await, refused);
    let bad = |message: &str| Err(RunError::BadArguments(message.into()));
    let uptime = |args| running.call_with("uptime", Some(args));
    assert_eq!(keys(&uptime(json!({ "key": "seconds" })).await.unwrap()), ["seconds"]);
    assert_eq!(uptime(json!({ "key": "x" })).await, bad("no such key: there are pretty, seconds"));
    assert_eq!(uptime(json!({ "key": 1 })).await, bad("key is to be text"));
}

#[tokio::test]
async fn plugin_21_an_answer_larger_than_the_limit_is_refused() {
    let mut folder = Folder::new();
    folder.list("systeminfo", "systeminfo", FunctionLimits::default());
    let running = folder.with(|limits| limits.max_output = 100).start().await;
    assert_eq!(running.call("systeminfo").await, Err(RunError::TooLarge));
    assert!(running.call_with("systeminfo", Some(json!({ "part": "uptime" }))).await.is_ok());
}

#[tokio::test]
async fn plugin_21_speeds_are_measured_across_functions_and_reloads() {
    let running = start().await;
    let measured = |net: &Value| net[0]["tx"] != "N/A" && net[0]["rx"] != "N/A";
    assert!(!measured(&running.call("ifinfo").await.unwrap()));
    until("a speed", async || {
        running.runners.reload(running.folder.specs.clone()).await;
        let told = running.call("systeminfo").await.unwrap();
        measured(&told["net"]).then_some(())
    })
    .await;
}
