//! Memory, processes and files are limited, whoever the server is.

use serde_json::json;

use super::running_server::{NOBODY, Plan, is_root};

const EAT: &str = "
def entry_call(megabytes):
    return len(bytearray(megabytes << 20))
";

const FORK: &str = "
import os, signal, time
def entry_call():
    children = []
    try:
        while len(children) < 5000:
            child = os.fork()
            if child == 0:
                time.sleep(1000)
                os._exit(0)
            children.append(child)
        return 'no limit'
    except BlockingIOError:
        return len(children)
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
";

const WRITE: &str = "
import os
def entry_call():
    with open(os.environ['HOME'] + '/file', 'wb', buffering=0) as file:
        file.seek((256 << 20) - 1)
        written = [file.write(b'xx')]
        try:
            file.write(b'x')
        except OSError as error:
            written.append(error.strerror)
        return written
";

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_limited_for_each_process_and_a_function_that_needs_more_asks_for_it() {
    let program = format!(
        "#!/usr/bin/env python3\n{EAT}\nimport json, sys\nprint(entry_call(**json.load(sys.stdin)))\n"
    );
    let running = Plan::new()
        .python("eat", EAT, "Memory=64M")
        .program("gobble", &program, "Memory=64M")
        .python("feast", EAT, "Memory=400M")
        .start()
        .await;
    for function in ["eat", "gobble"] {
        assert!(running.call(function, json!({"megabytes": 20})).await.is_ok(), "{function}");
        assert_eq!(
            running.call(function, json!({"megabytes": 100})).await,
            Err("function_failed".to_owned())
        );
        assert!(running.call(function, json!({"megabytes": 20})).await.is_ok(), "{function}");
    }
    assert_eq!(running.call("feast", json!({"megabytes": 200})).await, Ok(json!(200 << 20)));
    assert!(running.logged("MemoryError"));
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_are_limited_for_every_user_but_root() {
    let running = if is_root() { Plan::new().of_user(NOBODY) } else { Plan::new() };
    let running = running.python("fork", FORK, "").start().await;
    let forked = running.call("fork", json!({})).await.unwrap();
    assert!(forked.as_u64().is_some_and(|count| (100..=512).contains(&count)), "{forked}");
    assert!(running.call("attempts", running.facts("work").await).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_of_a_file_is_limited() {
    let running = Plan::new().python("write", WRITE, "").start().await;
    assert_eq!(running.call("write", json!({})).await, Ok(json!([1, "File too large"])));
}
