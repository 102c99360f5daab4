//! What tests ask of the machine they run on.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use msp_core::clock::{Clock as _, SystemClock};

/// The second at which the programs live.
pub fn now() -> u64 {
    SystemClock::start().unix()
}

/// Where a program is: ours beside the server's binary, which the whole workspace is built into.
pub fn program_path(program: &str) -> PathBuf {
    if matches!(program, "curl" | "prlimit") {
        return program.into();
    }
    if program == "python3" {
        return std::env::var_os("MSP_TEST_PYTHON").map_or_else(|| "python3".into(), Into::into);
    }
    if program == "sh" {
        return program.into();
    }
    let path = programs().join(program);
    assert!(path.exists(), "{} is missing: build the whole workspace first", path.display());
    path
}

/// The folder of the programs, which the whole workspace is built into: two above the test that runs.
fn programs() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().to_owned()
}

/// A client for raw requests.
pub fn http() -> reqwest::Client {
    http_from(None)
}

/// A client for raw requests that come from this address.
pub fn http_from(address: Option<IpAddr>) -> reqwest::Client {
    let _set_already = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy();
    http.local_address(address).build().unwrap()
}

/// Waits for an event, at most 10 seconds.
pub async fn until(what: &str, mut happened: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !happened().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"));
}
