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

use reqwest::Method;
use serde_json::{Value, json};

use msp_testkit::{Answered, ServerBuilder, TestServer};

/// The door's key in these tests, which no log may hold.
pub(crate) const KEY: &str = "the-door-key-4711";

/// A server with the plugin door open, these sections and these plugins.
pub(crate) fn builder(sections: &str, plugins: &[(&str, &str)]) -> ServerBuilder {
    let builder = TestServer::builder();
    let folder = builder.path().join("plugins");
    std::fs::create_dir(&folder).unwrap();
    for (name, source) in plugins {
        write(&folder, name, source);
    }
    let text = config(&folder, sections);
    builder.with_config(&text)
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

/// Requests with the door's key.
pub(crate) trait WithKey {
    async fn get_with_key(&self, path: &str) -> Answered;
}

impl WithKey for TestServer {
    async fn get_with_key(&self, path: &str) -> Answered {
        self.send(self.asking(Method::GET, path).bearer_auth(KEY)).await
    }
}

/// What `/plugins` answers for these.
pub(crate) fn loaded(ids: &[&str]) -> Value {
    json!({ "loaded_plugins": ids })
}
