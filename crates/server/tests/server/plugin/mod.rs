//! The plugin door: plugins and functions as REST routes.

mod access;
mod answers;
mod bodies;
mod cors;
mod documents;
mod faults;
mod hosts;
mod loading;
mod one_catalogue;
mod original;
mod process;
mod reload;
mod routes;
mod tls;

use std::path::Path;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Answered, TestServer, Wanted};

/// The door's key in these tests, which no log may hold.
pub(crate) const KEY: &str = "the-door-key-4711";

/// A server with the plugin door open, these sections and these plugins.
pub(crate) fn wanted(sections: &str, plugins: &[(&str, &str)]) -> Wanted {
    let wanted = Wanted::new();
    let folder = wanted.path().join("plugins");
    std::fs::create_dir(&folder).unwrap();
    for (name, source) in plugins {
        write(&folder, name, source);
    }
    let text = config(&folder, sections);
    wanted.config(&text)
}

/// config.ini for plugins in this folder.
pub(crate) fn config(folder: &Path, sections: &str) -> String {
    let sections = match sections.split_once("[paths]") {
        Some((before, after)) => format!("{before}[paths]\nplugins={}{after}", folder.display()),
        None => format!("[paths]\nplugins={}\n{sections}", folder.display()),
    };
    format!("[Doors]\nplugin=on\n{sections}\n")
}

/// Writes a plugin as an editor does: the old file or the new one, never half of one.
pub(crate) fn write(folder: &Path, name: &str, source: &str) {
    let new = folder.join("new~");
    std::fs::write(&new, source).unwrap();
    std::fs::rename(new, folder.join(name)).unwrap();
}

/// A class with this handler, which is indented by itself.
pub(crate) fn plugin(class: &str, body: &str) -> String {
    let body: String = body.lines().map(|line| format!("    {line}\n")).collect();
    format!("from plugincore.baseplugin import BasePlugin\n\nclass {class}(BasePlugin):\n{body}")
}

/// A plugin that answers what it was given, but for the server's own values.
pub(crate) fn shows(class: &str) -> String {
    plugin(
        class,
        "def request_handler(self, **data):
    own = ('log', 'request_headers', 'request')
    return 200, {name: value for name, value in data.items() if name not in own}",
    )
}

impl TestServer {
    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.send(self.http().get(self.url(path))).await
    }

    /// The same with the door's key.
    pub(crate) async fn get_with_key(&self, path: &str) -> Answered {
        self.send(self.asking(Method::GET, path).bearer_auth(KEY)).await
    }

    pub(crate) fn asking(&self, method: Method, path: &str) -> RequestBuilder {
        self.http().request(method, self.url(path))
    }

    /// Sends these bytes and reads all that comes, until the server closes the connection.
    pub(crate) async fn raw(&self, request: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(std::time::Duration::from_secs(20), read).await.unwrap().unwrap();
        answer
    }

    /// Asks for a path as it is, which no client would send like this.
    pub(crate) async fn raw_get(&self, path: &str) -> String {
        self.raw(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await
    }
}

impl Answered {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and body, for refusals.
    pub(crate) fn told(&self) -> (u16, &str) {
        (self.status, self.body.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }
}

/// What `/plugins` answers for these.
pub(crate) fn loaded(ids: &[&str]) -> Value {
    json!({ "loaded_plugins": ids })
}
