use msp_protocol::Digest;

use super::*;
use crate::caller::{Door, RequestId};
use crate::grant::Grants;

fn own() -> Digest {
    Digest::of(b"a plugin's own key")
}

/// The columns: who asks.
fn identities() -> [(&'static str, Identity); 8] {
    let (digest, name) = (Digest::of(b"another key"), || "kim".parse().unwrap());
    [
        ("client", Identity::Client { key: digest, name: None }),
        ("user", Identity::User { id: digest, name: name() }),
        ("app", Identity::App { id: digest, name: name(), user: name() }),
        ("api key", Identity::ApiKey { digest, name: name() }),
        ("door key", Identity::DoorKey(digest)),
        ("own key", Identity::PluginKey(own())),
        ("other own", Identity::PluginKey(digest)),
        ("anybody", Identity::Anybody),
    ]
}

/// `+` yes, `g` if a grant covers it, `.` forbidden, `-` there is none, `w` if its ceiling is write.
const TABLE: [(Origin, Option<&str>, &str); 20] = {
    use Origin::{BuiltIn, Control, Modules, Plugins};
    [
        //                           c u a k d o x n
        (BuiltIn, None, "            w - - - - - - -"),
        (BuiltIn, Some("key"), "     w - - - - - - -"),
        (BuiltIn, Some("named"), "   w - - - - - - -"),
        (BuiltIn, Some("own"), "     w - - - - - - -"),
        (BuiltIn, Some("open"), "    w - - - - - - -"),
        (Control, None, "            - - - g + . . ."),
        (Control, Some("key"), "     - - - g + . . ."),
        (Control, Some("named"), "   - - - g + . . ."),
        (Control, Some("own"), "     - - - g + . . ."),
        (Control, Some("open"), "    - - - g + . . +"),
        (Modules, None, "            g g g g - - - -"),
        (Modules, Some("key"), "     g g g g + . . ."),
        (Modules, Some("named"), "   g g g g . . . ."),
        (Modules, Some("own"), "     g g g g . + . ."),
        (Modules, Some("open"), "    g g g + + + + +"),
        (Plugins, None, "            g g g g - - - -"),
        (Plugins, Some("key"), "     g g g g + . . ."),
        (Plugins, Some("named"), "   g g g g . . . ."),
        (Plugins, Some("own"), "     g g g g . + . ."),
        (Plugins, Some("open"), "    g g g + + + + +"),
    ]
};

fn route(name: Option<&str>) -> Option<Route> {
    name.map(|name| match name {
        "key" => Route::Key,
        "named" => Route::Named,
        "own" => Route::Own(own()),
        "open" => Route::Open,
        other => panic!("no route {other}"),
    })
}

fn caller(identity: Identity, ceiling: Access) -> Caller {
    let (address, request) = ([192, 0, 2, 1].into(), RequestId(1));
    Caller { identity, grants: Grants::nothing(), ceiling, door: Door::named("a door"), address, request }
}

#[test]
fn every_cell_of_the_table_is_decided_as_it_says() {
    const BOTH: [Access; 2] = [Access::Read, Access::Write];
    let mut cells = 0;
    for (origin, name, row) in TABLE {
        for ((who, identity), cell) in identities().into_iter().zip(row.split_whitespace()) {
            for (access, ceiling) in BOTH.map(|access| BOTH.map(|ceiling| (access, ceiling))).concat() {
                for (granted, classic_write) in [(false, false), (false, true), (true, false), (true, true)] {
                    let opened = match cell {
                        "+" => Ok(()),
                        "g" if granted => Ok(()),
                        "g" | "." => Err(Denied::Forbidden),
                        "w" if ceiling == Access::Write => Ok(()),
                        "w" => Err(Denied::EnvelopeOnly),
                        "-" => Err(Denied::Unknown),
                        other => panic!("no cell {other}"),
                    };
                    let above = access == Access::Write && ceiling == Access::Read && !classic_write;
                    let expected = opened.and(if above { Err(Denied::AboveCeiling) } else { Ok(()) });
                    let asked = Target { origin, access, route: route(name), granted, classic_write };
                    let decided = judge(&caller(identity.clone(), ceiling), asked);
                    assert_eq!(decided, expected, "{who} {ceiling:?} {asked:?}");
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 20 * 8 * 2 * 2 * 4);
}

#[test]
fn grants_that_name_it_let_manage_plugins_and_no_others() {
    let name = "plugin/reload".parse().unwrap();
    let decided = |pattern: &str, granted| {
        let identity = Identity::ApiKey { digest: own(), name: "kim".parse().unwrap() };
        let grants = Grants::Listed([(pattern.parse().unwrap(), granted)].into());
        let caller = Caller { grants, ..caller(identity, Access::Write) };
        permit_control(&caller, &name, Access::Write, Route::Key)
    };
    assert_eq!(decided("plugin/reload", Access::Write), Ok(()));
    assert_eq!(decided("plugin/*", Access::Write), Ok(()));
    for (pattern, granted) in
        [("plugin/reload", Access::Read), ("plugin/list", Access::Write), ("*", Access::Write)]
    {
        assert_eq!(decided(pattern, granted), Err(Denied::Forbidden), "{pattern}");
    }
}

/// A function that nothing runs.
fn function(name: &str, origin: Origin, access: Access) -> Arc<Function> {
    #[derive(Debug)]
    struct Nothing;
    impl crate::runner::Runner for Nothing {
        fn run(
            &self,
            _: crate::runner::Job,
        ) -> crate::BoxFuture<'_, Result<crate::body::Output, crate::runner::RunError>> {
            panic!("nothing is called here")
        }
    }
    Arc::new(Function {
        name: name.parse().unwrap(),
        namespace: crate::Namespace::default(),
        access,
        classic_write: false,
        description: String::new(),
        source: "test".into(),
        arguments: Vec::new(),
        route: None,
        origin,
        kind: crate::catalogue::RunnerKind::Native,
        limits: crate::limits::FunctionLimits::default(),
        runner: Arc::new(Nothing),
        slots: Arc::new(tokio::sync::Semaphore::new(1)),
        succeeded: crate::calls::successes(&name.parse().unwrap()),
        tally: Arc::default(),
    })
}

#[test]
fn without_a_grant_of_its_own_a_client_may_call_what_modules_ini_names_and_only_reads() {
    use Access::{Read, Write};
    let functions = [
        function("msp/ping", Origin::BuiltIn, Read),
        function("reads", Origin::Modules, Read),
        function("rpc/reads", Origin::Modules, Read),
        function("writes", Origin::Modules, Write),
        function("plugin", Origin::Plugins, Read),
    ];
    let catalogue = Catalogue::new(functions, []);
    let callable = |grants: Grants| {
        let identity = Identity::Client { key: own(), name: None };
        let caller = Arc::new(Caller { grants, ..caller(identity, Write) });
        let listed = callable(&caller, &catalogue).map(|function| function.name.to_string());
        let listed: Vec<_> = listed.collect();
        for function in catalogue.iter() {
            let permitted =
                permit(&caller, &catalogue, &function.name).map(|permit| permit.function().name.clone());
            let expected = listed.contains(&function.name.to_string()) || function.origin == Origin::BuiltIn;
            assert_eq!(permitted.is_ok(), expected, "{}", function.name);
        }
        listed
    };
    assert_eq!(callable(Grants::Standard), ["reads"]);
    assert!(callable(Grants::nothing()).is_empty());
    let all = |access| Grants::Listed([("*".parse().unwrap(), access)].into());
    assert_eq!(callable(all(Read)), ["plugin", "reads"]);
    assert_eq!(callable(all(Write)), ["plugin", "reads", "writes"]);
}

#[test]
fn accounts_19_a_function_is_found_in_its_own_namespace_and_no_other() {
    let named = |name: &str, namespace: &str| {
        let function = function(name, Origin::Modules, Access::Read);
        let namespace = namespace.parse().unwrap();
        Arc::new(Function { namespace, ..Arc::unwrap_or_clone(function) })
    };
    let catalogue = Catalogue::new([named("lamp", "house"), named("time_test", "msp")], []);
    let found = |namespace: &str, name: &str| catalogue.find_in(namespace, &name.parse().unwrap()).is_some();
    assert!(found("house", "lamp") && found("msp", "time_test"));
    for (namespace, name) in
        [("msp", "lamp"), ("house", "time_test"), ("House", "lamp"), ("house", "Lamp"), ("", "lamp")]
    {
        assert!(!found(namespace, name), "{namespace}/{name}");
    }
    // Whatever its namespace, grants and other doors know it by its name alone.
    assert!(catalogue.find(&"lamp".parse().unwrap()).is_some());
}

#[test]
fn what_does_not_exist_may_come_while_something_loads_that_may_bring_it() {
    let missing = |origin, why: Option<&str>| crate::catalogue::MissingFunction {
        source: "a".into(),
        origin,
        why: why.map(Into::into),
    };
    let denied = |missing: Vec<(&str, crate::catalogue::MissingFunction)>, name: &str| {
        let missing = missing.into_iter().map(|(name, missing)| (name.parse().unwrap(), missing));
        let catalogue = Catalogue::new([function("there", Origin::Modules, Access::Read)], missing);
        let caller = Arc::new(caller(Identity::Client { key: own(), name: None }, Access::Write));
        let name = name.parse().unwrap();
        (permit(&caller, &catalogue, &name).unwrap_err(), catalogue.may_come(&name))
    };
    let (loading, unknown) = ((Denied::Loading, true), (Denied::Unknown, false));
    let module = |why| vec![("f", missing(Origin::Modules, why))];
    let plugins = |why| vec![("file.py", missing(Origin::Plugins, why))];
    assert_eq!(denied(module(None), "f"), loading);
    assert_eq!(denied(module(None), "other"), unknown, "a module brings its own function only");
    assert_eq!(denied(module(Some("broken")), "f"), unknown);
    assert_eq!(denied(plugins(None), "any"), loading, "a file of plugins names them when it has loaded");
    assert_eq!(denied(plugins(Some("broken")), "any"), unknown);
    assert_eq!(denied(plugins(None), "there"), (Denied::Forbidden, false), "what exists is there already");
}
