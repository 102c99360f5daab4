//! A configuration of the original plugin server, as it is.

use std::path::Path;

use serde_json::json;

use crate::Scratch;

const COMPLETE: &str = "\
; the plugin server
[network]
bindto = 0.0.0.0
port = int:9192
hostname = ${ENV:HOST}

[paths]
base = /opt/pserv
plugins = ${base}/plugins
pidfile = ${base}/pserv.pid
documents = html:${base}/html

[SSL] # TLS
enabled = bool:true
keyfile = ${paths:base}/key.pem
certfile = ${paths:base}/cert.pem

[auth]
apikey = ${ENV:APIKEY}

[cors]
enabled = bool:true
origin_url = https://App.example.net/
acl = list:example.org
    .example.com

[file_server]
documents = ${paths:base}/manual/
common_log = /var/log/access.log
highlight_css = style.css

[plugin_parms]
CpuInfo = auth_type=plugin&apikey=own+key%21
systeminfo = auth_type=global
    &route_path=system&empty=&route_path=other

[Server]
name = 100%
[MyPlugin]
interval = int:5
hosts = list:a b
from address = ${network:hostname}
[Empty]
";

const KEY: &str = "the-plugin-doors-own-key";

fn complete() -> Scratch {
    Scratch::new().plugins(COMPLETE).variable("APIKEY", KEY).variable("HOST", "pi")
}

#[test]
fn plugin_16_a_complete_configuration_of_the_original_works_as_it_is() {
    let settings = complete().load();
    assert!(settings.doors.plugin && settings.doors.sealed);
    assert_eq!((settings.network.bindto.to_string().as_str(), settings.network.port), ("0.0.0.0", 9192));
    assert_eq!(settings.pidfile.as_deref(), Some(Path::new("/opt/pserv/pserv.pid")));
    let ssl = settings.ssl.clone().unwrap();
    assert_eq!(
        (ssl.keyfile.to_str(), ssl.certfile.to_str()),
        (Some("/opt/pserv/key.pem"), Some("/opt/pserv/cert.pem"))
    );
    let plugin = settings.plugin.clone().unwrap();
    assert_eq!(plugin.spec.folder, Path::new("/opt/pserv/plugins"));
    assert_eq!(plugin.key, Some(msp_protocol::Digest::of(KEY.as_bytes())));
    assert!(plugin.spec.has_key && !plugin.control_open && !plugin.allow_plain);
    let cors = plugin.cors.clone().unwrap();
    assert_eq!(
        (cors.origins, cors.acl),
        (
            vec![msp_settings::WebOrigin::parse("https://app.example.net").unwrap()],
            vec!["example.org".to_owned(), "example.com".to_owned()]
        )
    );
    let documents: Vec<_> = plugin
        .documents
        .iter()
        .map(|folder| (&*folder.route, folder.folder.to_str().unwrap(), &*folder.index))
        .collect();
    assert_eq!(
        documents,
        [("html", "/opt/pserv/html", "index.html"), ("manual", "/opt/pserv/manual/", "index.html")]
    );
    assert_eq!(plugin.spec.reserved, ["openapi.json", "plugins", "reload", "v1", "html", "manual"]);
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(plugin.spec.parameters["cpuinfo"], [pair("auth_type", "plugin"), pair("apikey", "own key!")]);
    assert_eq!(
        plugin.spec.parameters["systeminfo"],
        [pair("auth_type", "global"), pair("route_path", "system")]
    );
    assert_eq!(Some(Path::new(&plugin.spec.ini_file)), settings.plugins_config_path.as_deref());
    assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
}

#[test]
fn plugins_read_every_section_but_keys_and_the_parameters_of_others() {
    let config = complete().load().plugin.unwrap().spec.config.clone();
    let names: Vec<_> = config.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        ["Empty", "MyPlugin", "SSL", "Server", "auth", "cors", "file_server", "network", "paths"]
    );
    assert_eq!(config["MyPlugin"], json!({"interval": 5, "hosts": ["a", "b"], "from address": "pi"}));
    assert_eq!(config["Server"], json!({"name": "100%"}));
    assert_eq!(config["network"], json!({"bindto": "0.0.0.0", "port": 9192, "hostname": "pi"}));
    assert_eq!((&config["auth"], &config["SSL"]["enabled"]), (&json!({}), &json!(true)));
    assert!(!config.to_string().contains(KEY));
}

#[test]
fn it_stands_over_config_ini_and_under_environment_and_command_line() {
    let port = |scratch: &Scratch| scratch.load().network.port;
    let mut scratch = complete().config("[network]\nport=1\n[paths]\nplugins=/mine\nshown=\n");
    assert!(scratch.try_load().is_err(), "config.ini stays strict");
    scratch =
        complete().config("[network]\nport=1\n[paths]\nplugins=/mine\n[MyPlugin]\ninterval=1\nmore=2\n");
    assert_eq!(port(&scratch), 9192);
    let config = scratch.load().plugin.unwrap().spec.config.clone();
    assert_eq!((&config["MyPlugin"]["interval"], &config["MyPlugin"]["more"]), (&json!(5), &json!("2")));
    scratch = scratch.environment("MSP__NETWORK__PORT", "3");
    assert_eq!(port(&scratch), 3);
    assert_eq!(port(&scratch.option("network.port", "4")), 4);
}

#[test]
fn it_opens_the_plugin_door_unless_something_says_otherwise() {
    let open = |scratch: Scratch| scratch.load().doors.plugin;
    assert!(open(complete().config("[Doors]\nsealed=on\n")));
    assert!(!open(complete().config("[Doors]\nplugin=off\n")));
    assert!(!open(complete().environment("MSP__DOORS__PLUGIN", "no")));
    assert!(!open(complete().option("doors.plugin", "no")));
    let off = complete().option("doors.plugin", "no");
    assert_eq!(off.load().plugin, None);
    insta::assert_snapshot!(off.warnings().join("\n"), @"/config/plugins.ini line 37: [server] is not read by this version
/config/plugins.ini line 39: [myplugin] is not read by this version
/config/plugins.ini line 43: [empty] is not read by this version");
    let row = |scratch: Scratch| {
        scratch.load().settings.effective.into_iter().find(|row| row.key == "plugin").unwrap()
    };
    assert!(row(complete()).origin.starts_with("--plugins-config /"));
}

#[test]
fn it_is_watched_and_kept_from_functions() {
    let scratch = complete();
    let path = scratch.sources.plugins_config.clone().unwrap();
    assert!(scratch.sources.files().contains(&path));
    assert_eq!(Scratch::new().sources.files().len(), 2);
    let private = scratch.load().private_paths();
    assert!(private.contains(&path) && private.contains(&"/opt/pserv/key.pem".into()), "{private:?}");
}

#[test]
fn a_mistake_in_it_stops_the_start_and_an_unknown_word_where_it_matters_is_told() {
    let plugins = |text: &str| Scratch::new().plugins(&format!("[paths]\nplugins=/p\n{text}"));
    insta::assert_snapshot!(plugins("[network]\nport=http\n").refusal(), @r#"/config/plugins.ini line 4: [network] port: "http" is not a whole number from 0 to 65535"#);
    insta::assert_snapshot!(plugins("[SSL]\nenabled=ture\n").refusal(), @r#"/config/plugins.ini line 4: [SSL] enabled: "ture" is not yes or no"#);
    insta::assert_snapshot!(plugins("nonsense\n").refusal(), @"/config/plugins.ini line 3: not a setting; write key=value, or # before a comment");
    let warnings = plugins("[SSL]\nenable=on\n[auth]\napikey=0123456789abcdef\n[network]\nx=1\n").warnings();
    insta::assert_snapshot!(warnings.join("\n"), @r#"/config/plugins.ini line 4: [SSL] has no key "enable"; it has enabled, keyfile, certfile"#);
    let mut missing = Scratch::new();
    missing.sources.plugins_config = Some("/no/pserv.ini".into());
    insta::assert_snapshot!(missing.refusal(), @"--plugins-config: /no/pserv.ini does not exist; check the path");
}
