//! Raw requests to a server's doors, and what they bring.

use msp_core::control::{FunctionRow, Reply, Request};
use msp_protocol::{PrivateKey, Secret};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::caller::{Answered, Caller};
use crate::peer::Peer;
use crate::server::TestServer;

impl TestServer {
    /// Asks for a path.
    pub async fn get(&self, path: &str) -> Answered {
        self.send(self.asking(Method::GET, path)).await
    }

    /// A request for a path, to be completed and sent.
    pub fn asking(&self, method: Method, path: &str) -> RequestBuilder {
        self.http().request(method, self.url(path))
    }

    /// Sends these bytes and reads all that comes, until the server closes the connection.
    pub async fn raw(&self, request: &str) -> String {
        let mut peer = Peer::connect(self.address).await;
        assert!(peer.send(request).await);
        peer.to_the_end().await
    }

    /// Asks for a path as it is, which no client would send like this.
    pub async fn raw_get(&self, path: &str) -> String {
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }

    /// Status and body of `/readyz`.
    pub async fn readiness(&self) -> (u16, String) {
        let url = format!("http://{}/readyz", self.ops.unwrap());
        let answered = self.send(self.http().get(url)).await;
        (answered.status, answered.body)
    }

    /// The functions as `msp-admin functions` lists them.
    pub async fn functions(&self) -> Vec<FunctionRow> {
        match self.ask(Request::Functions).await {
            Reply::Functions { functions } => functions,
            other => panic!("{other:?}"),
        }
    }

    /// The one of this name.
    pub async fn function(&self, name: &str) -> FunctionRow {
        let rows = self.functions().await;
        rows.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("{name}: {rows:?}")).clone()
    }
}

impl Caller {
    /// The client of this server with this key and secret, whether or not it is registered.
    pub fn new(server: &TestServer, key: PrivateKey, secret: Secret) -> Self {
        Self { key, secret, server: *server.public(), address: server.address }
    }

    /// Calls in the envelope shape and gives status and outcome: the value, or the error's code.
    pub async fn call(
        &self,
        server: &TestServer,
        ts: u64,
        function: &str,
        args: Option<Value>,
    ) -> (u16, Result<Value, String>) {
        let (rid, body) = self.envelope(ts, function, args.as_ref());
        let answered = server.post(body).await;
        if answered.body.is_empty() {
            return (answered.status, Err(String::new()));
        }
        let answer = self.open(&rid, &answered);
        (answered.status, answer.outcome.map_err(|failure| failure.code.to_string()))
    }
}

impl Answered {
    /// The body, which is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and body, for refusals.
    pub fn status_and_body(&self) -> (u16, &str) {
        (self.status, self.body.as_str())
    }

    /// The first header of this name, in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}
