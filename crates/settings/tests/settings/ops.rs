use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use crate::Scratch;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn with_token(text: &str, mode: u32) -> Scratch {
    let scratch = Scratch::new();
    let file = scratch.file("token", text);
    std::fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    let config = format!("[Ops]\nbindto=0.0.0.0\nTokenFile={}\n", file.display());
    scratch.config(&config)
}

#[test]
fn share_point_17_an_ops_listener_that_others_reach_needs_a_token() {
    let open = Scratch::new().config("[Ops]\nbindto=0.0.0.0\n");
    insta::assert_snapshot!(open.refusal(), @"/config/config.ini line 2: [Ops] bindto: 0.0.0.0 can be reached from other machines; set [Ops] TokenFile to a file with a token, or bind to 127.0.0.1");
    assert!(open.option("doors.ops", "off").try_load().is_ok(), "a closed door needs none");
}

#[test]
fn the_token_is_read_trimmed_and_never_printed() {
    let settings = with_token(&format!(" {TOKEN}\n"), 0o600).load();
    assert!(!format!("{settings:?}").contains(TOKEN));
    let token = settings.ops.token.unwrap();
    assert!(token.is(TOKEN.as_bytes()));
    assert!(!token.is(b"") && !token.is(&TOKEN.as_bytes()[1..]));
}

#[test]
fn a_listener_in_clear_and_a_readable_token_are_told() {
    insta::assert_snapshot!(with_token(TOKEN, 0o644).warnings().join("\n"), @"/config/config.ini line 2: [Ops] bindto: the token travels in clear to 0.0.0.0; put TLS before it, or bind to 127.0.0.1
/config/token: others may read the token; try: chmod 600 /config/token");
    assert_eq!(with_token(TOKEN, 0o600).warnings().len(), 1);
}

#[test]
fn share_point_17_a_missing_or_weak_token_stops_the_start() {
    insta::assert_snapshot!(with_token("short", 0o600).refusal(), @"/config/token: no token: it must be 16 to 1024 printable ASCII characters without spaces; try: openssl rand -hex 32");
    insta::assert_snapshot!(with_token("sixteen blanks in between", 0o600).refusal(), @"/config/token: no token: it must be 16 to 1024 printable ASCII characters without spaces; try: openssl rand -hex 32");
    let missing = Scratch::new().config("[Ops]\nTokenFile=/no/token\n");
    insta::assert_snapshot!(missing.refusal(), @"/config/config.ini line 2: [Ops] TokenFile: /no/token does not exist; check the path");
}
