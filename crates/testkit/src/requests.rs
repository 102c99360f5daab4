//! Raw requests to a server's doors, and what they bring.

use std::time::Duration;

use msp_core::control::{FunctionRow, Reply, Request};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::caller::Answered;
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
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
        answer
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
