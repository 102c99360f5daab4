//! The table of the door's keys, in the order in which people read them.

use std::path::PathBuf;

use msp_settings::Counts::AtReload;
use msp_settings::kinds::{FOLDER, FileName, List, Optional, PrivateFile, Secret, Switch};
use msp_settings::{Key, Token, keys};

keys! {
    /// Every key of config.ini that is the door's, section by section.
    pub KEYS:
    PLUGINS: Option<PathBuf> = Key::new("paths", "plugins", "", &Optional(FOLDER), AtReload,
        "Holds the plugins, *.py.").alias("pluginpath");
    PATHS_DOCUMENTS: Vec<String> = Key::new("paths", "documents", "", &List("folders, or route:folder"), AtReload,
        "Served by the plugin door as they are; without a route at /doc.");
    APIKEY: Option<Token> = Key::new("auth", "apikey", "", &Secret, AtReload,
        "The plugin door's own key, for its control routes and for plugins with auth_type=global.");
    APIKEY_FILE: Option<PathBuf> = Key::new("auth", "ApikeyFile", "", &Optional(PrivateFile), AtReload,
        "Holds that key, in place of apikey.");
    CONTROL_OPEN: bool = Key::new("auth", "control_open", "no", &Switch, AtReload,
        "Whether everybody may list and reload plugins while there is no key.");
    ALLOW_PLAIN: bool = Key::new("auth", "AllowPlain", "no", &Switch, AtReload,
        "Whether to serve this door without TLS too.");
    CORS_ENABLED: bool = Key::new("cors", "enabled", "no", &Switch, AtReload,
        "Whether pages of other origins are let in by these rules, and refused else.");
    ORIGIN_URL: Vec<String> = Key::new("cors", "origin_url", "", &List("origins such as https://app.example.net, or *"), AtReload,
        "The origins that may call plugins; * means all, without credentials.");
    ACL: Vec<String> = Key::new("cors", "acl", "", &List("host names"), AtReload,
        "Hosts whose origins may call plugins, with those of their sub-domains.");
    REQUIRE_ORIGIN: bool = Key::new("cors", "require_origin", "no", &Switch, AtReload,
        "Whether a request without an Origin is refused too.");
    FILE_DOCUMENTS: Vec<String> = Key::new("file_server", "documents", "", &List("folders, or route:folder"), AtReload,
        "The same as in [paths]; without a route at the folder's own name.");
    INDEX_FILE: String = Key::new("file_server", "indexfile", "index.html", &FileName, AtReload,
        "What is served for a folder of documents.");
}
