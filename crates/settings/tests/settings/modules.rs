use std::time::Duration;

use msp_core::{Access, ConfinementPath, ConfinementSpec, FunctionLimits, ModuleSpec, Namespace};

use msp_settings::keys::FUNCTION;

use crate::Scratch;

fn refusal(text: &str) -> String {
    Scratch::new().modules(text).refusal()
}

#[test]
fn functions_keep_the_files_order_and_have_lower_case_names_and_the_cores_limits() {
    let settings = Scratch::new().modules("[Modules]\nTime_Test=simple_time\necho: tools.Echo\n").load();
    let spec = |function: &str, module: &str| ModuleSpec {
        function: function.parse().unwrap(),
        namespace: Namespace::default(),
        module: module.to_owned(),
        access: Access::Read,
        classic_write: false,
        description: String::new(),
        limits: FunctionLimits::default(),
        route: None,
        confinement: ConfinementSpec::default(),
    };
    assert_eq!(settings.modules, [spec("time_test", "simple_time"), spec("echo", "tools.Echo")]);
}

#[test]
fn a_section_of_its_own_sets_a_functions_limits_and_access() {
    let text = "[Switch_Lamp]\nTimeout=5\nLoadTimeout=600\nMaxConcurrent=1\nMaxOutput=2K\nMemory=64M\nNetwork=no\nPaths=/srv/in:+/srv/out\nAccess=Write\nClassic=yes\n\
                Description=Switches a lamp: on = 100 %\n[Modules]\nswitch_lamp=lamp\n";
    let settings = Scratch::new().modules(text).load();
    let expected = ModuleSpec {
        function: "switch_lamp".parse().unwrap(),
        namespace: Namespace::default(),
        module: "lamp".to_owned(),
        access: Access::Write,
        classic_write: true,
        description: "Switches a lamp: on = 100 %".to_owned(),
        limits: FunctionLimits {
            timeout: Duration::from_secs(5),
            load_timeout: Duration::from_secs(600),
            max_concurrent: 1,
            max_output: 2048,
            memory: Some(64 * 1024 * 1024),
        },
        route: None,
        confinement: ConfinementSpec {
            network: false,
            paths: vec![
                ConfinementPath { path: "/srv/in".into(), writable: false },
                ConfinementPath { path: "/srv/out".into(), writable: true },
            ],
        },
    };
    assert_eq!(settings.modules, [expected]);
}

#[test]
fn an_empty_list_is_legal() {
    assert!(Scratch::new().modules("[Modules]\n").load().modules.is_empty());
}

#[test]
fn share_point_17_a_modules_file_without_its_section_stops_the_start() {
    insta::assert_snapshot!(refusal(""), @"/config/modules.ini: the section [Modules] is missing; it lists the functions, a line each: time_test=simple_time");
    insta::assert_snapshot!(refusal("time_test=simple_time\n"), @"/config/modules.ini line 1: a setting before the first [section]");
}

#[test]
fn share_point_17_a_faulty_line_of_the_modules_file_stops_the_start() {
    insta::assert_snapshot!(refusal("[Modules]\na=../etc/passwd\n"), @r#"/config/modules.ini line 2: "../etc/passwd" is no module name: letters, digits, '_', '-', and single dots between them"#);
    insta::assert_snapshot!(refusal("[Modules]\na=.hidden\n"), @r#"/config/modules.ini line 2: ".hidden" is no module name: letters, digits, '_', '-', and single dots between them"#);
    insta::assert_snapshot!(refusal("[Modules]\na=\n"), @r#"/config/modules.ini line 2: "" is no module name: letters, digits, '_', '-', and single dots between them"#);
    insta::assert_snapshot!(refusal("[Modules]\nmsp/ping=ping\n"), @r#"/config/modules.ini line 2: "msp/ping" is no function name: 1 to 128 bytes without '/' and control characters"#);
    insta::assert_snapshot!(refusal("[Modules]\na=b\nA=c\n"), @"/config/modules.ini line 3: a stands there twice; keep one");
    insta::assert_snapshot!(refusal("[Modules]\na=b\n[c]\nTimeout=1\n"), @"/config/modules.ini line 3: [c] belongs to no function; add c=<module> to [Modules], or remove it");
    insta::assert_snapshot!(refusal("[Modules]\na=b\n[a]\nTime=1\n"), @r#"/config/modules.ini line 4: [a] has no key "time"; it has Timeout, LoadTimeout, MaxConcurrent, MaxOutput, Memory, Network, Paths, Access, Classic, Route, Description"#);
    insta::assert_snapshot!(refusal("[Modules]\na=b\n[a]\nTimeout=0\n"), @r#"/config/modules.ini line 4: [a] Timeout: "0" is not a whole number of seconds from 1 to 3600"#);
    insta::assert_snapshot!(refusal("[Modules]\na=b\n[a]\nAccess=all\n"), @r#"/config/modules.ini line 4: [a] Access: "all" is not read or write"#);
    insta::assert_snapshot!(refusal("[Modules]\na=b\n[a]\nMemory=1\n"), @r#"/config/modules.ini line 4: [a] Memory: "1" is not a size from 1M to 1048576M (bytes, or with K or M), or empty"#);
    insta::assert_snapshot!(refusal("[Modules]\na=b\n[a]\nPaths=/srv/in:data\n"), @r#"/config/modules.ini line 4: [a] Paths: "/srv/in:data" is not absolute paths joined by ':', each to be read, or with + before it to be changed too, or empty"#);
    insta::assert_snapshot!(refusal("[Modules]\na=b\n[a]\nPaths=/srv/../sec\n"), @r#"/config/modules.ini line 4: [a] Paths: "/srv/../sec" is not absolute paths joined by ':', each to be read, or with + before it to be changed too, or empty"#);
}

#[test]
fn every_default_of_a_functions_section_is_the_cores() {
    let defaults = FUNCTION.iter().map(|key| key.definition());
    let defaults = defaults.map(|key| format!("{}={}\n", key.name, key.default)).collect::<String>();
    let with_section = Scratch::new().modules(&format!("[Modules]\na=b\n[a]\n{defaults}")).load();
    assert_eq!(with_section.modules, Scratch::new().modules("[Modules]\na=b\n").load().modules);
    assert_eq!(with_section.modules[0].limits, msp_core::FunctionLimits::default());
}
