//! References and types in the sections that plugins read.

use serde_json::{Value, json};

use crate::Scratch;

/// What plugins read of a section `[p]` with these lines.
fn read(lines: &str) -> Value {
    let config = plugins(&format!("[p]\n{lines}")).load().plugin.unwrap().spec.config.clone();
    config.get("p").unwrap().clone()
}

/// The plugin door with a configuration of the original's.
fn plugins(text: &str) -> Scratch {
    Scratch::new()
        .plugins(&format!("[paths]\nplugins=/plugins\n[a]\nb=5\nt=int:7\nf=bool:on\nl=list:x int:1\n{text}"))
        .variable("NAME", "value")
        .variable("PORT", "int:9192")
}

fn refusal(lines: &str) -> String {
    plugins(&format!("[p]\n{lines}")).refusal()
}

#[test]
fn plugin_16_a_prefix_gives_a_value_its_type() {
    assert_eq!(
        read("a=int:9192\nb=int: -7\nc=float:1.5\nd=float:3\ne=9192\nf=integer:1\ng=Int:1\nh="),
        json!({"a": 9192, "b": -7, "c": 1.5, "d": 3.0, "e": "9192", "f": "integer:1", "g": "Int:1", "h": ""})
    );
    assert_eq!(
        read("a=list:a  b\tc\nb=list:\nc=list:int:1 float:2.5 bool:on x list:y\nd=list:a\n b\n c"),
        json!({"a": ["a", "b", "c"], "b": [], "c": [1, 2.5, true, "x", "list:y"], "d": ["a", "b", "c"]})
    );
}

#[test]
fn plugin_16_a_bool_is_true_for_six_words_and_false_else() {
    for word in ["true", "enabled", "on", "1", "enable", "yes", "TRUE", "Yes", " on"] {
        assert_eq!(read(&format!("k=bool:{word}"))["k"], json!(true), "{word}");
    }
    for word in ["false", "off", "0", "no", "y", "11", "ture", ""] {
        assert_eq!(read(&format!("k=bool:{word}"))["k"], json!(false), "{word}");
    }
}

#[test]
fn plugin_16_references_stand_for_variables_and_for_other_values() {
    assert_eq!(
        read("a=${ENV:NAME}\nb=x${ENV:NAME}y\nc=${ENV:NONE}\nd=${a:b}\ne=${d}${A:B}\nf=${ a : B }"),
        json!({"a": "value", "b": "xvaluey", "c": "", "d": "5", "e": "55", "f": "5"})
    );
    assert_eq!(
        read("a=$$\nb=$${a:b}\nc=5$\nd=$5\ne=$$$$\nf=$$${a:b}"),
        json!({"a": "$", "b": "${a:b}", "c": "5$", "d": "$5", "e": "$$", "f": "$5"})
    );
}

#[test]
fn plugin_16_a_type_is_given_after_references_are_replaced() {
    assert_eq!(
        read("a=int:${a:b}\nb=int:${a:b}${a:b}\nc=${ENV:PORT}\nd=list:${a:b} int:${a:b}\ne=bool:${a:f}"),
        json!({"a": 5, "b": 55, "c": 9192, "d": ["5", 5], "e": true})
    );
    assert_eq!(
        read("a=${a:t}\nb=http://h:${a:t}/\nc=int:${a:t}\nd=${a:l}\ne=<${a:l}>\nf=${c}"),
        json!({"a": 7, "b": "http://h:7/", "c": 7, "d": ["x", 1], "e": "<x 1>", "f": 7})
    );
}

#[test]
fn plugin_16_a_reference_or_number_that_means_nothing_stops_the_start_with_its_line() {
    insta::assert_snapshot!(refusal("k=1\nx=${a:no}"), @"/config/plugins.ini line 10: [p] x: ${a:no} names no key; write $$ for a dollar sign");
    insta::assert_snapshot!(refusal("x=${no:b}"), @"/config/plugins.ini line 9: [p] x: ${no:b} names no key; write $$ for a dollar sign");
    insta::assert_snapshot!(refusal("x=1${b}"), @"/config/plugins.ini line 9: [p] x: ${b} names no key; write $$ for a dollar sign");
    insta::assert_snapshot!(refusal("x=1${a:b"), @"/config/plugins.ini line 9: [p] x: ${ has no }; write $$ for a dollar sign");
    insta::assert_snapshot!(refusal("x=${y}\ny=1${Z}\nz=${p:x}"), @"/config/plugins.ini line 11: [p] z: ${p:x} leads back to itself");
    insta::assert_snapshot!(refusal("x=int:1.5"), @"/config/plugins.ini line 9: [p] x: after its type there must be a whole number of 64 bits");
    insta::assert_snapshot!(refusal("x=list:1 int:${ENV:NAME}"), @"/config/plugins.ini line 9: [p] x: after its type there must be a whole number of 64 bits");
    insta::assert_snapshot!(refusal("x=float:inf"), @"/config/plugins.ini line 9: [p] x: after its type there must be a finite number");
}

#[test]
fn plugin_16_values_that_double_each_other_stop_the_start_and_not_the_machine() {
    let doubling = |leaf: &str| {
        let lines = (0..30).map(|n| format!("k{n}=${{k{}}}${{k{}}}\n", n + 1, n + 1));
        format!("{}k30={leaf}\n", lines.collect::<String>())
    };
    insta::assert_snapshot!(refusal(&doubling("x")).split_once(": ").unwrap().1, @"[p] k21: ${k22} grows too large with what it refers to");
    assert!(refusal(&doubling("")).ends_with("grows too large with what it refers to"));
    let deep = (0..200).map(|n| format!("k{n}=${{k{}}}\n", n + 1)).collect::<String>() + "k200=x\n";
    assert!(refusal(&deep).ends_with("grows too large with what it refers to"));
}

#[test]
fn plugin_16_any_key_and_an_empty_section_are_fine() {
    let settings = plugins("[Empty]\n[P]\nid=1\ntype=2\nformat=3\ndata=4\nKEYS=5\nclass=6\n").load();
    let config = settings.plugin.unwrap().spec.config.clone();
    assert_eq!(config["Empty"], json!({}));
    assert_eq!(
        config["P"],
        json!({"id": "1", "type": "2", "format": "3", "data": "4", "keys": "5", "class": "6"})
    );
}

#[test]
fn our_own_keys_take_a_typed_value_as_text() {
    let scratch = Scratch::new().variable("HOST", "::1").config(
        "[network]\nbindto=${ENV:HOST}\nlisten=int:9192\n[Doors]\nplugin=on\n[free]\nroot=/srv\nport=int:1\n\
         [paths]\nPluginPath=${free:root}/plugins\ndocuments=list:a:/a b:/b\n\
         [cors]\nenabled=bool:ON\nacl=list:example.org example.net\nrequire_origin=bool:nonsense\n",
    );
    let settings = scratch.load();
    assert_eq!((settings.network.bindto.to_string().as_str(), settings.network.port), ("::1", 9192));
    let plugin = settings.plugin.unwrap();
    assert_eq!(plugin.spec.folder.to_str(), Some("/srv/plugins"));
    assert_eq!(plugin.documents.len(), 2);
    let cors = plugin.cors.clone().unwrap();
    assert!(!cors.require_origin);
    assert_eq!(cors.acl, ["example.org", "example.net"]);
    assert_eq!(plugin.spec.config["network"], json!({"bindto": "::1", "listen": 9192}));
    assert_eq!(plugin.spec.config["free"], json!({"root": "/srv", "port": 1}));
    let names: Vec<_> = plugin.spec.config.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["cors", "free", "network", "paths"], "no section of the server's own");
}

#[test]
fn sections_that_are_ours_alone_have_no_dialect_and_cannot_be_referred_to() {
    let plain = Scratch::new().config("[Server]\nKeypath=${ENV:HOME}/$$\n[Log]\nFolder=int:x\n").load();
    assert_eq!(plain.server.keypath.to_str(), Some("${ENV:HOME}/$$"));
    assert_eq!(plain.log.directory.to_str(), Some("int:x"));
    let scratch = Scratch::new().config("[Server]\nKeypath=k\n[paths]\npidfile=${Server:Keypath}/p\n");
    insta::assert_snapshot!(scratch.refusal(), @"/config/config.ini line 4: [paths] pidfile: ${Server:Keypath} names no key; write $$ for a dollar sign");
}

#[test]
fn a_name_and_its_other_name_are_one_key() {
    let both = Scratch::new().config("[network]\nport=1\nlisten=2\n");
    insta::assert_snapshot!(both.refusal(), @"/config/config.ini line 3: [network] port stands there twice; keep one");
    let both = Scratch::new().config("[paths]\nplugins=a\npluginpath=b\n");
    insta::assert_snapshot!(both.refusal(), @"/config/config.ini line 3: [paths] plugins stands there twice; keep one");
    assert_eq!(Scratch::new().environment("MSP__NETWORK__LISTEN", "2").load().network.port, 2);
}

#[test]
fn while_the_door_is_off_other_sections_are_told_and_not_evaluated() {
    let scratch = Scratch::new().config("[Mine]\nx=${no:such}\ny=int:z\n[plugin_parms]\na=${no:such}\n");
    insta::assert_snapshot!(scratch.warnings().join("\n"), @"/config/config.ini line 1: [mine] is not read by this version");
    let on = scratch.option("doors.plugin", "on").option("paths.plugins", "/p");
    insta::assert_snapshot!(on.refusal(), @"/config/config.ini line 5: [plugin_parms] a: ${…} names no key; write $$ for a dollar sign");
}
