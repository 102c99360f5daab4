//! Four clients, two shapes, one server.

use msp_testkit::{Program, ProgramFolder, stdout};

/// A server, and a client in the folder `client` that was registered as the README says.
pub(crate) fn registered(bench: &ProgramFolder, options: &[&str]) -> Program {
    let server = bench.serve();
    std::fs::create_dir(bench.path("client")).unwrap();
    stdout(
        &bench
            .command("gen_key")
            .args(["pair", "client"])
            .current_dir(bench.path("client"))
            .output()
            .unwrap(),
    );
    let key = std::fs::read_to_string(bench.path("client/client.pub")).unwrap();
    let mut arguments = vec![key.as_str()];
    arguments.extend(options);
    let output = bench.run("appendclient", &arguments);
    let (printed, told) = (stdout(&output), String::from_utf8(output.stderr).unwrap());
    let secret = told.split_once("Client Hex Secret: ").unwrap().1.lines().next().unwrap();
    let public = printed.strip_prefix("Server public key:\n\t").unwrap().trim_end();
    bench.write("client/client.secret", secret);
    bench.write("client/server.pub", public);
    server
}

/// Runs a client, which the server knows as soon as it is registered.
pub(crate) fn call(bench: &ProgramFolder, program: &str, arguments: &[&str]) -> String {
    let output = bench.command(program).args(arguments).current_dir(bench.path("client")).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {told}");
    String::from_utf8_lossy(&output.stdout).into_owned() + &told
}

fn script(name: &str) -> String {
    format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn share_point_27_every_client_gets_its_answer_from_one_server() {
    for options in [&[][..], &["--name", "laptop", "--classic"]] {
        let bench = ProgramFolder::new();
        let server = registered(&bench, options);
        let url = server.url("/v1");
        let original = script("tests/python/classic_client.py");
        let reference = script("../../util/client.py");
        for (program, arguments) in [
            ("python3", &[original.as_str(), &url][..]),
            ("python3", &[reference.as_str(), &url, "time_test"]),
            ("msp-client", &[&url]),
            ("msp-client", &["call", &url, "time_test"]),
            ("msp-client", &["call", &url, "time_test", "--classic"]),
        ] {
            let told = call(&bench, program, arguments);
            assert!(told.contains("It is currently: \n\t"), "{program} {arguments:?}: {told}");
        }
        assert!(server.stop().success());
    }
}

#[test]
fn share_point_27_our_client_gets_its_answer_from_a_server_like_the_original() {
    let bench = ProgramFolder::new();
    let server = registered(&bench, &[]);
    assert!(server.stop().success());
    std::fs::copy(bench.path("sec/server.key"), bench.path("client/server.key")).unwrap();
    let mut command = bench.command("python3");
    command.args([script("tests/python/classic_server.py"), bench.path("client").display().to_string()]);
    let mut original = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut port = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(original.stdout.take().unwrap()), &mut port)
        .unwrap();
    let url = format!("http://127.0.0.1:{}", port.trim());
    let told = call(&bench, "msp-client", &["call", &url, "time_test", "--classic"]);
    assert!(told.contains("It is currently: \n\t"), "{told}");
    original.kill().unwrap();
    original.wait().unwrap();
}

#[test]
fn an_enrolment_line_takes_the_place_of_copying_secrets() {
    let bench = ProgramFolder::new();
    let server = bench.serve();
    std::fs::create_dir(bench.path("client")).unwrap();
    let client = |arguments: &[&str]| {
        bench.command("msp-client").args(arguments).current_dir(bench.path("client")).output().unwrap()
    };
    stdout(&client(&["gen_key", "pair", "client"]));
    let key = std::fs::read_to_string(bench.path("client/client.pub")).unwrap();
    let url = server.url("");
    let output = bench.run("appendclient", &[&key, "--name", "laptop", "--url", &url]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let line =
        told.split_whitespace().find(|word| word.starts_with("msp1:")).unwrap_or_else(|| panic!("{told}"));
    stdout(&client(&["join", line, "--yes"]));
    let told = call(&bench, "msp-client", &["call", "time_test"]);
    assert!(told.starts_with("It is currently: \n\t"), "{told}");
    assert!(stdout(&client(&["functions"])).contains("time_test"));
    assert!(server.stop().success());
}

#[test]
fn a_server_moved_from_the_originals_folders_answers_the_old_clients_at_the_first_start() {
    let bench = ProgramFolder::new();
    assert!(registered(&bench, &[]).stop().success());
    let moved = ProgramFolder::new();
    for (from, to) in [("sec/server.key", "sec/server.key"), ("client/client.pub", "sec/client_1.pub")] {
        moved.write(to, &std::fs::read_to_string(bench.path(from)).unwrap());
    }
    moved.write("sec/server.pub", &std::fs::read_to_string(bench.path("client/server.pub")).unwrap());
    moved.write(
        "sec/clients.dev",
        &(std::fs::read_to_string(bench.path("client/client.secret")).unwrap() + "\n"),
    );
    moved.write(
        "config/config.ini",
        "[Server]\nKeypath = sec\nIPAddressTTL = 300\n\n[Clients]\nKeypath = sec\nRegister = sec/clients.dev\n\
         RequestTTL = 30\n\n[Proxy]\nForwardFor = 0\nForwardHost = 0\nForwardPort = 0\nForwardPrefix = 0\n\
         ForwardProto = 0\n",
    );
    moved.write("config/modules.ini", "[Modules]\ntime_test=simple_time\n");
    moved.write(
        "modules/simple_time.py",
        "import time\n\ndef entry_call() -> str:\n    return f\"It is currently: \\n\\t{time.ctime()}\"\n",
    );
    let server = moved.serve_with(|command| {
        command.env("PYTHONPATH", moved.path("modules"));
    });
    let original = script("tests/python/classic_client.py");
    let told = bench
        .command("python3")
        .args([&original, &server.url("/v1")])
        .current_dir(bench.path("client"))
        .output()
        .unwrap();
    assert!(stdout(&told).contains("It is currently: \n\t"));
    assert!(server.stop().success());
}

#[test]
fn whole_numbers_arrive_as_they_are_or_are_refused_with_a_reason() {
    let bench = ProgramFolder::new();
    bench.write("config/modules.ini", "[Modules]\necho=echo\npower=power\nprogram=program\n");
    bench.write("modules/power.py", "def entry_call(of):\n    return [2 ** of]\n");
    bench.program("modules/program", "#!/bin/sh\ncat\n");
    let server = registered(&bench, &["--name", "laptop"]);
    let (url, reference) = (server.url("/v1"), script("../../util/client.py"));
    let ask = |function: &str, args: &str| {
        let arguments = [reference.as_str(), &url, function, args];
        let output =
            bench.command("python3").args(arguments).current_dir(bench.path("client")).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap().trim().to_owned()
    };
    for exact in ["{\"n\": 18446744073709551615}", "{\"n\": -9223372036854775808}", "{\"n\": 1.5}"] {
        assert_eq!(ask("echo", exact), exact);
        assert_eq!(ask("program", exact), exact.replace(' ', ""));
    }
    let refused = "client.py: bad_arguments: a whole number in it is beyond 64 bits; send it as text";
    for function in ["echo", "power", "program"] {
        assert_eq!(ask(function, "{\"of\": 18446744073709551616}"), refused, "{function}");
    }
    assert_eq!(ask("power", "{\"of\": 63}"), "[9223372036854775808]");
    assert_eq!(ask("power", "{\"of\": 64}"), "client.py: function_failed: the function failed");
    let log = server.log.lock().unwrap().clone();
    assert!(log.contains("a whole number in its answer is beyond 64 bits"), "{log}");
    assert!(server.stop().success());
}
