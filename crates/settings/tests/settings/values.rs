use std::time::Duration;

use crate::Scratch;

fn with(section: &str, key: &str, value: &str) -> Scratch {
    Scratch::new().config(&format!("[{section}]\n{key}={value}\n"))
}

#[test]
fn share_point_17_a_faulty_value_of_each_kind_stops_the_start() {
    let refusal = |section: &str, key: &str, value: &str| with(section, key, value).refusal();
    insta::assert_snapshot!(refusal("Clients", "RequestTTL", "abc"), @r#"/config/config.ini line 2: [Clients] RequestTTL: "abc" is not a whole number of seconds from 1 to 300"#);
    insta::assert_snapshot!(refusal("Clients", "RequestTTL", "0"), @r#"/config/config.ini line 2: [Clients] RequestTTL: "0" is not a whole number of seconds from 1 to 300"#);
    insta::assert_snapshot!(refusal("Server", "IPAddressTTL", ""), @r#"/config/config.ini line 2: [Server] IPAddressTTL: "" is not a whole number of seconds from 1 to 31536000"#);
    insta::assert_snapshot!(refusal("Proxy", "ForwardFor", "-1"), @r#"/config/config.ini line 2: [Proxy] ForwardFor: "-1" is not a whole number of trusted hops from 0 to 16"#);
    insta::assert_snapshot!(refusal("network", "bindto", "localhost"), @r#"/config/config.ini line 2: [network] bindto: "localhost" is not an IP address"#);
    insta::assert_snapshot!(refusal("network", "port", "65536"), @r#"/config/config.ini line 2: [network] port: "65536" is not a whole number from 0 to 65535"#);
    insta::assert_snapshot!(refusal("Limits", "Body", "1G"), @r#"/config/config.ini line 2: [Limits] Body: "1G" is not a size from 1K to 64M (bytes, or with K or M)"#);
    insta::assert_snapshot!(refusal("Limits", "PerAddressRate", "1000001"), @r#"/config/config.ini line 2: [Limits] PerAddressRate: "1000001" is not a whole number of requests a second from 0 to 1000000"#);
    insta::assert_snapshot!(refusal("Guard", "CallerShare", "1/0"), @r#"/config/config.ini line 2: [Guard] CallerShare: "1/0" is not a share above 0 and at most 1, such as 1/16 or 0.0625"#);
    insta::assert_snapshot!(refusal("Doors", "sealed", "maybe"), @r#"/config/config.ini line 2: [Doors] sealed: "maybe" is not yes or no"#);
    insta::assert_snapshot!(refusal("Server", "Keypath", ""), @r#"/config/config.ini line 2: [Server] Keypath: "" is not a folder"#);
    insta::assert_snapshot!(refusal("Server", "PublicUrl", "https://user:secret@host/"), @"/config/config.ini line 2: [Server] PublicUrl: the value is not an address like https://share.example.net, without user, query and blanks, or empty");
    insta::assert_snapshot!(refusal("Registry", "Url", "postgres://user:secret@host/db"), @"/config/config.ini line 2: [Registry] Url: the value is not sqlite:<file>");
    insta::assert_snapshot!(refusal("Guard", "Url", "redis://:secret@host"), @"/config/config.ini line 2: [Guard] Url: the value is not memory");
    insta::assert_snapshot!(refusal("Clients", "Classic", "\u{1b}[2Jon"), @"/config/config.ini line 2: a control character; end each line with \\n");
}

#[test]
fn share_point_17_a_faulty_value_is_told_with_the_variable_or_option_it_comes_from() {
    insta::assert_snapshot!(Scratch::new().environment("MSP_MAXLOGS", "many").refusal(), @r#"environment variable MSP_MAXLOGS: [Log] MaxFiles: "many" is not a whole number of files from 0 to 1000"#);
    insta::assert_snapshot!(Scratch::new().environment("MSP__LOG__JSON", "\u{1b}[2Jon").refusal(), @r#"environment variable MSP__LOG__JSON: [Log] Json: "\u{1b}[2Jon" is not yes or no"#);
    insta::assert_snapshot!(Scratch::new().environment("MSP__LOG__JSON", "si").refusal(), @r#"environment variable MSP__LOG__JSON: [Log] Json: "si" is not yes or no"#);
    insta::assert_snapshot!(Scratch::new().option("network.port", "http").refusal(), @r#"command line, network.port: [network] port: "http" is not a whole number from 0 to 65535"#);
}

#[test]
fn share_point_17_a_file_that_is_no_ini_file_stops_the_start() {
    insta::assert_snapshot!(Scratch::new().config("[Clients]\nRequestTTL 30\n").refusal(), @"/config/config.ini line 2: not a setting; write key=value, or # before a comment");
    insta::assert_snapshot!(Scratch::new().config("[Clients]\nRequestTTL=1\nrequestttl=2\n").refusal(), @"/config/config.ini line 3: requestttl stands there twice; keep one");
    insta::assert_snapshot!(Scratch::new().config("[Clients]\n[clients]\n").refusal(), @"/config/config.ini line 2: [clients] stands there twice; keep one");
}

#[test]
fn a_door_of_a_later_version_may_be_off_and_not_on() {
    for door in ["rpc", "gateway"] {
        assert!(with("Doors", door, "no").load().doors.sealed);
    }
    insta::assert_snapshot!(with("Doors", "rpc", "on").refusal(), @"/config/config.ini line 2: [Doors] rpc: this version has no such door; leave it off");
}

#[test]
fn the_edges_of_a_range_belong_to_it() {
    for (value, seconds) in [("1", 1), ("300", 300), ("030", 30)] {
        let settings = with("Clients", "RequestTTL", value).load();
        assert_eq!(settings.clients.request_ttl, Duration::from_secs(seconds));
    }
    for value in ["301", "+30", "0x1e", "3 0", "30.0", "18446744073709551616"] {
        assert!(with("Clients", "RequestTTL", value).try_load().is_err(), "{value}");
    }
}

#[test]
fn sizes_are_bytes_or_have_a_suffix() {
    for (value, bytes) in
        [("1024", 1024), ("2k", 2048), ("64K", 65_536), ("64M", 67_108_864), ("1m", 1_048_576)]
    {
        assert_eq!(with("Limits", "Body", value).load().limits.body, bytes, "{value}");
    }
    for value in ["1023", "65M", "K", "1KB", "-1K", "99999999999999999999K", "18446744073709551615M"] {
        assert!(with("Limits", "Body", value).try_load().is_err(), "{value}");
    }
}

#[test]
fn switches_have_six_words_each() {
    for value in ["Yes", "on", "TRUE", "1", "enabled", "Enable"] {
        assert!(with("Clients", "Classic", value).load().clients.classic, "{value}");
    }
    for value in ["no", "Off", "false", "0", "DISABLED", "disable"] {
        assert!(!with("Clients", "Classic", value).load().clients.classic, "{value}");
    }
}

#[test]
fn a_share_is_a_fraction_or_a_number() {
    for (value, share) in [("1/16", 0.0625_f64), ("0.0625", 0.0625), ("1", 1.0), ("1 / 4", 0.25)] {
        assert_eq!(with("Guard", "CallerShare", value).load().guard.caller_share.to_bits(), share.to_bits());
    }
    for value in ["0", "1.1", "-1/2", "nan", "inf", "0/0", "2/1", "1/2/3", ""] {
        assert!(with("Guard", "CallerShare", value).try_load().is_err(), "{value}");
    }
}

#[test]
fn a_public_url_can_be_extended_by_a_path() {
    let url = |value: &str| with("Server", "PublicUrl", value).load().server.public_url;
    assert_eq!(url("https://share.example.net/").as_deref(), Some("https://share.example.net"));
    assert_eq!(url("http://[::1]:8000/sub").as_deref(), Some("http://[::1]:8000/sub"));
    assert_eq!(url(""), None);
    for value in
        ["ftp://x", "https://", "https:///x", "https://:80", "https://a b", "https://a?b", "https://a#b"]
    {
        assert!(with("Server", "PublicUrl", value).try_load().is_err(), "{value}");
    }
}

#[test]
fn the_registry_follows_the_clients_folder_unless_it_is_set() {
    assert_eq!(with("Clients", "Keypath", "/sec").load().registry.url, "sqlite:/sec/registry.db");
    assert_eq!(with("Registry", "Url", "sqlite:/var/r.db").load().registry.url, "sqlite:/var/r.db");
    for url in ["sqlite:data/r.db", "sqlite://data/r.db"] {
        let private = with("Registry", "Url", url).load().private_paths();
        assert!(private.contains(&"data/r.db".into()), "{private:?}");
    }
}
