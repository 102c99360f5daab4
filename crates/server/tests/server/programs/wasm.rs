//! The sample for WebAssembly, built as docs/MODULES.md says, and what a module cannot reach.

use msp_testkit::{ProgramFolder, stdout};

use super::clients::{call, registered};

/// The command of docs/MODULES.md that makes a C file a module.
fn build(bench: &ProgramFolder, module: &str) {
    let documented = include_str!("../../../../../docs/MODULES.md");
    let command = documented.lines().find(|line| line.starts_with("clang ")).unwrap();
    assert!(command.contains("modules/password.c"), "{command}");
    let command = command.replace("password", module);
    let output = bench.command("sh").args(["-c", &command]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_sample_is_built_by_the_documented_command_and_answers_our_client() {
    let bench = ProgramFolder::new();
    bench.write("config/modules.ini", "[Modules]\npassword=password\n");
    bench.write("modules/password.c", include_str!("../../../../../modules/password.c"));
    build(&bench, "password");
    let server = registered(&bench, &["--name", "laptop", "--classic"]);
    let url = server.url("/v1");
    let one = call(&bench, "msp-client", &["call", &url, "password", "--arg", "length=40"]);
    let other = call(&bench, "msp-client", &["call", &url, "password", "--arg", "length=40"]);
    for password in [&one, &other] {
        let password = password.trim_end();
        assert!(password.len() == 40 && password.is_ascii(), "{password}");
    }
    assert_ne!(one, other);
    let classic = call(&bench, "msp-client", &["call", &url, "password", "--classic"]);
    assert_eq!(classic.trim_end().len(), 20, "{classic}");
    let refused = bench
        .command("msp-client")
        .args(["call", &url, "password", "--arg", "length=65"])
        .current_dir(bench.path("client"))
        .output()
        .unwrap();
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("function_failed"), "{refused:?}");
    assert!(server.log.lock().unwrap().contains("password: length must be from 1 to 64"));
    assert!(stdout(&bench.run("msp-admin", &["why", "--last", "1"])).contains("exit status: 1"));
    assert!(server.stop().success());
}

/// Tries all that C offers, and prints what it got.
const REACH: &str = r#"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

extern char **environ;

int main(int count, char **arguments) {
    static const char *paths[] = {
        "/", ".", "..", "sec/server.key", "../sec/server.key", "/etc/passwd", "/proc/self/environ", "modules/reach.wasm",
    };
    for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct stat about;
        if (open(paths[i], O_RDONLY) >= 0) printf("read %s\n", paths[i]);
        if (open(paths[i], O_RDWR | O_CREAT, 0600) >= 0) printf("wrote %s\n", paths[i]);
        if (opendir(paths[i])) printf("listed %s\n", paths[i]);
        if (stat(paths[i], &about) == 0) printf("saw %s\n", paths[i]);
        if (mkdir(paths[i], 0700) == 0) printf("made %s\n", paths[i]);
        if (unlink(paths[i]) == 0 || rename(paths[i], "x") == 0) printf("removed %s\n", paths[i]);
    }
    for (int fd = 0; fd < 64; fd++) {
        char byte;
        struct stat about;
        if (read(fd, &byte, 1) > 0) printf("byte from %d\n", fd);
        if (fd > 2 && write(fd, "x", 1) >= 0) printf("byte to %d\n", fd);
        if (openat(fd, "etc/passwd", O_RDONLY) >= 0) printf("opened at %d\n", fd);
        if (fstat(fd, &about) == 0 || lseek(fd, 0, SEEK_SET) >= 0) printf("file at %d\n", fd);
        if (recv(fd, &byte, 1, 0) >= 0 || shutdown(fd, SHUT_RDWR) == 0) printf("socket at %d\n", fd);
    }
    if (environ && environ[0]) printf("environment %s\n", environ[0]);
    if (getenv("PATH") || getenv("HOME")) printf("environment\n");
    printf("%d %s\n", count, arguments[0]);
    return 0;
}
"#;

#[test]
fn a_module_reaches_no_file_no_socket_and_no_environment() {
    let bench = ProgramFolder::new();
    bench.write("config/modules.ini", "[Modules]\nreach=reach\n");
    bench.write("modules/reach.c", REACH);
    build(&bench, "reach");
    let server = registered(&bench, &["--name", "laptop"]);
    let told = call(&bench, "msp-client", &["call", &server.url("/v1"), "reach"]);
    assert_eq!(told.trim_end(), "1 reach");
    assert!(server.stop().success());
}
