//! The plugin door: what it needs, what is told, and that its key is never shown.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use msp_door_plugin::{DocumentsSettings, PluginSettings};
use msp_protocol::Digest;
use msp_settings::WebOrigin;

use crate::Scratch;

const KEY: &str = "the-plugin-doors-own-key";

/// An open door with a key, and these lines.
fn door(lines: &str) -> Scratch {
    keyless(lines).environment("MSP__AUTH__APIKEY", KEY)
}

fn plugin(scratch: &Scratch) -> PluginSettings {
    scratch.load().plugin.unwrap()
}

/// An open door without a key.
fn keyless(lines: &str) -> Scratch {
    Scratch::new().config(&format!("[Doors]\nplugin=on\n[paths]\nplugins=/plugins\n{lines}"))
}

#[test]
fn an_open_door_needs_a_folder_of_plugins() {
    insta::assert_snapshot!(Scratch::new().config("[Doors]\nplugin=on\n").refusal(), @"/config/config.ini line 2: [Doors] plugin: it is on and needs [paths] plugins, the folder of the plugins");
    insta::assert_snapshot!(Scratch::new().plugins("[network]\nport=1\n").refusal(), @"--plugins-config /config/plugins.ini: [Doors] plugin: it is on and needs [paths] plugins, the folder of the plugins");
    assert_eq!(plugin(&door("")).spec.folder, Path::new("/plugins"));
}

#[test]
fn plugin_18_tls_is_off_or_complete() {
    assert_eq!(door("").load().ssl, None);
    assert_eq!(door("[SSL]\nenabled=bool:no\nkeyfile=k\ncertfile=c\n").load().ssl, None);
    assert!(door("[SSL]\nenabled=Enabled\nkeyfile=k\ncertfile=c\n").load().ssl.is_some());
    insta::assert_snapshot!(door("[SSL]\nenabled=on\ncertfile=c\n").refusal(), @"/config/config.ini line 6: [SSL] enabled: it is on and needs [SSL] keyfile, the certificate's private key");
    insta::assert_snapshot!(door("[SSL]\nenabled=on\nkeyfile=k\ncertfile=\n").refusal(), @"/config/config.ini line 6: [SSL] enabled: it is on and needs [SSL] certfile, the certificate");
    insta::assert_snapshot!(door("[SSL]\nenabled=ture\n").refusal(), @r#"/config/config.ini line 6: [SSL] enabled: "ture" is not yes or no"#);
}

#[test]
fn plugin_19_cors_is_on_only_when_it_says_so() {
    for lines in ["", "enabled=bool:false\n", "enabled=no\n"] {
        assert_eq!(plugin(&door(&format!("[cors]\n{lines}origin_url=https://a\n"))).cors, None);
    }
    let cors = plugin(&door("[cors]\nenabled=true\norigin_url=https://A.example.net:8443/\n")).cors.unwrap();
    assert_eq!(
        cors.origins.iter().map(WebOrigin::as_str).collect::<Vec<_>>(),
        ["https://a.example.net:8443"]
    );
    assert!(cors.acl.is_empty() && !cors.any_origin && !cors.require_origin);
    let any = plugin(&door("[cors]\nenabled=on\norigin_url=*\nrequire_origin=bool:true\n")).cors.unwrap();
    assert!(any.any_origin && any.require_origin && any.origins.is_empty());
}

#[test]
fn plugin_20_an_acl_holds_host_names() {
    let acl = "[cors]\nenabled=on\nacl=list:example.org .Example.net *.example.com [::1]\n";
    let scratch = door(acl);
    assert_eq!(plugin(&scratch).cors.unwrap().acl, ["example.org", "example.net", "example.com", "[::1]"]);
    assert!(scratch.warnings().is_empty());
}

#[test]
fn plugin_19_what_lets_nobody_in_is_told() {
    let odd =
        door("[cors]\nenabled=on\norigin_url=list:example.net https://a/b\nacl=list:https://a . *. a:80\n");
    let cors = plugin(&odd).cors.unwrap();
    assert!(cors.origins.is_empty() && cors.acl.is_empty());
    insta::assert_snapshot!(odd.warnings().join("\n"), @r#"/config/config.ini line 7: [cors] origin_url: "example.net" lets nobody in: it is no origin such as https://app.example.net
/config/config.ini line 7: [cors] origin_url: "https://a/b" lets nobody in: it is no origin such as https://app.example.net
/config/config.ini line 8: [cors] acl: "https://a" lets nobody in: it is no host name such as example.net
/config/config.ini line 8: [cors] acl: "." lets nobody in: it is no host name such as example.net
/config/config.ini line 8: [cors] acl: "*." lets nobody in: it is no host name such as example.net
/config/config.ini line 8: [cors] acl: "a:80" lets nobody in: it is no host name such as example.net
/config/config.ini line 6: [cors] enabled: without origin_url and acl every request with an Origin is refused"#);
}

#[test]
fn documents_have_routes_of_their_own() {
    let routes = |lines: &str| {
        let documents = plugin(&door(lines)).documents;
        let row = |folder: &DocumentsSettings| {
            format!("{} {} {}", folder.route, folder.folder.display(), folder.index)
        };
        documents.iter().map(row).collect::<Vec<_>>()
    };
    assert!(routes("").is_empty());
    assert_eq!(routes("documents=/srv/www\n"), ["doc /srv/www index.html"]);
    assert_eq!(
        routes(
            "documents=list:html:/a b:c:d\n[file_server]\ndocuments=/srv/www/ x:/y\nindexfile=start.htm\n"
        ),
        ["html /a start.htm", "b c:d start.htm", "www /srv/www/ start.htm", "x /y start.htm"]
    );
    insta::assert_snapshot!(door("documents=a:/a\n[file_server]\ndocuments=/b/A\n").refusal(), @r#"/config/config.ini line 7: [file_server] documents: "/b/A" has a route that is taken; write another one before it: route:/folder"#);
    insta::assert_snapshot!(door("documents=v1:/a\n").refusal(), @r#"/config/config.ini line 5: [paths] documents: "v1:/a" has a route that is taken; write another one before it: route:/folder"#);
    assert_eq!(plugin(&door("documents=v1:/a\n").option("doors.sealed", "off")).documents[0].route, "v1");
    for item in ["reload:/a", "plugins:/a", "openapi.json:/a"] {
        assert!(door(&format!("documents={item}\n")).refusal().contains("is taken"), "{item}");
    }
    insta::assert_snapshot!(door("[file_server]\ndocuments=/\n").refusal(), @r#"/config/config.ini line 6: [file_server] documents: "/" has no route of letters, digits, '-', '.', '_' and '~'; write route:/folder"#);
    for item in ["a:", ":/a", "..:/a", "a%2f:/a", "ä:/a"] {
        assert!(door(&format!("documents={item}\n")).refusal().contains("has no route"), "{item}");
    }
    insta::assert_snapshot!(door("[file_server]\nindexfile=../x\n").refusal(), @r#"/config/config.ini line 6: [file_server] indexfile: "../x" is not a file's name"#);
}

#[test]
fn plugin_17_parameters_are_form_encoded_and_belong_to_a_file_in_any_case() {
    let parameters = |line: &str| {
        let spec = plugin(&door(&format!("[plugin_parms]\n{line}\n"))).spec;
        spec.parameters.into_iter().map(|(file, pairs)| format!("{file}: {pairs:?}")).collect::<Vec<_>>()
    };
    assert_eq!(parameters("CpuInfo=a=1&B=x+y%26z"), [r#"cpuinfo: [("a", "1"), ("B", "x y&z")]"#]);
    assert_eq!(parameters("x=a=&b&c=1&c=2&=3"), [r#"x: [("c", "1")]"#]);
    assert_eq!(parameters("x=json=more.json"), [r#"x: [("json", "more.json")]"#]);
    assert_eq!(parameters("X.py=a=1"), [r#"x: [("a", "1")]"#]);
    insta::assert_snapshot!(door("[plugin_parms]\nx=a=1\nX.py=a=2\n").refusal(), @"/config/config.ini line 7: x.py stands there twice; keep one");
}

#[test]
fn the_key_is_kept_as_a_digest_and_never_shown() {
    let digest = Some(Digest::of(KEY.as_bytes()));
    let by_file = |mode| {
        let scratch = keyless("");
        let file = scratch.file("apikey", &format!("{KEY}\n"));
        std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        scratch.environment("MSP__AUTH__APIKEYFILE", &file.display().to_string())
    };
    let ini = keyless("[auth]\napikey=${ENV:K}\n").variable("K", KEY);
    let plugins = Scratch::new().plugins(&format!("[paths]\nplugins=p\n[auth]\napikey={KEY}\n"));
    for scratch in [door(""), by_file(0o600), ini, plugins] {
        let settings = scratch.load();
        assert_eq!(settings.plugin.as_ref().unwrap().key, digest);
        assert!(settings.warnings.is_empty(), "{:?}", settings.warnings);
        let shown = format!("{settings:?} {:?} {:?}", settings.plugin, scratch.sources);
        assert!(!shown.contains(KEY) && !format!("{:?}", settings.effective).contains(KEY));
        assert!(!settings.plugin.as_ref().unwrap().spec.config.to_string().contains(KEY));
        let row = settings.effective.iter().find(|row| row.key == "apikey").unwrap();
        assert_eq!(row.value, if row.origin == "built-in default" { "" } else { "(set)" });
    }
    insta::assert_snapshot!(by_file(0o644).warnings().join("\n"), @"/config/apikey: others may read the token; try: chmod 600 /config/apikey");
    assert!(by_file(0o600).load().private_paths().iter().any(|path| path.ends_with("apikey")));
    insta::assert_snapshot!(by_file(0o600).environment("MSP__AUTH__APIKEY", KEY).refusal(), @"environment variable MSP__AUTH__APIKEYFILE: [auth] ApikeyFile: there is an apikey too, at environment variable MSP__AUTH__APIKEY; keep one of them");
}

#[test]
fn no_message_shows_the_key_whatever_is_wrong_with_it() {
    for value in ["int:s3cret", "list:int:s3cret x", "s3cret${s3cret}", "s3cret${s3cret", "${s3cret:s3cret}"]
    {
        let line = keyless(&format!("[auth]\napikey={value}\n")).refusal();
        assert!(!line.contains("s3cret") && line.contains("line 6: [auth] apikey: "), "{line}");
        let line = door(&format!("[plugin_parms]\nx={value}\n")).refusal();
        assert!(!line.contains("s3cret") && line.contains("line 6: [plugin_parms] x: "), "{line}");
    }
    insta::assert_snapshot!(door("[x]\ny=${z}\nz=a${auth:ApiKey}\n[auth]\napikey=abc\n").refusal(), @"/config/config.ini line 7: [x] z: ${auth:ApiKey} is the door's key, which may stand in [plugin_parms] only");
    let parameter = keyless("[auth]\napikey=0123456789abcdef\n[plugin_parms]\nx=apikey=${auth:apikey}\n");
    assert_eq!(plugin(&parameter).spec.parameters["x"][0].1, "0123456789abcdef");
}

#[test]
fn what_is_open_or_closed_unexpectedly_is_told() {
    assert!(door("").warnings().is_empty());
    insta::assert_snapshot!(keyless("").warnings().join("\n"), @"[auth] apikey: there is none, so /plugins and /reload answer 403 but to named api keys; set it, or control_open=yes to open them to everybody");
    insta::assert_snapshot!(keyless("[auth]\ncontrol_open=bool:true\n").warnings().join("\n"), @"/config/config.ini line 6: [auth] control_open: everybody may list and reload plugins; set [auth] apikey");
    insta::assert_snapshot!(keyless("[auth]\napikey=short\n").warnings().join("\n"), @"/config/config.ini line 6: [auth] apikey: it is so short that it can be guessed; try: openssl rand -hex 32");
    let outside = |lines: &str| door(&format!("[network]\nbindto=0.0.0.0\n{lines}"));
    insta::assert_snapshot!(outside("").warnings().join("\n"), @"/config/config.ini line 6: [network] bindto: the plugin door answers tls_required without TLS; set [SSL] enabled, or a proxy with TLS before it and [Proxy] ForwardProto, or bind to 127.0.0.1");
    insta::assert_snapshot!(outside("[auth]\nAllowPlain=yes\n").warnings().join("\n"), @"/config/config.ini line 8: [auth] AllowPlain: api keys and answers may travel in clear; set [SSL] enabled, or a proxy with TLS before it and [Proxy] ForwardProto");
    assert!(outside("[Proxy]\nForwardProto=1\n").warnings().is_empty());
    assert!(outside("[SSL]\nenabled=on\nkeyfile=k\ncertfile=c\n").warnings().is_empty());
}
