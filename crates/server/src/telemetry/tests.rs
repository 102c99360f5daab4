use std::path::Path;
use std::time::Duration;

use msp_core::clock::ManualClock;
use tempfile::TempDir;

use super::*;

/// As a length.
const ROTATE_AT: usize = 10_485_760;
const NOW: u64 = 1_711_804_853;

/// Runs something with a log of its own, and gives what the file holds.
fn logged(change: impl FnOnce(&mut LogSettings), run: impl FnOnce()) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path());
    change(&mut settings);
    let log = Log::new(&settings, Arc::new(ManualClock::at(NOW)));
    tracing::subscriber::with_default(tracing_subscriber::registry().with(log), run);
    read(&folder, "latest.log")
}

fn settings(folder: &Path) -> LogSettings {
    LogSettings {
        level: LogLevel::Info,
        directory: folder.join("log"),
        max_files: 2,
        json: false,
        access: true,
    }
}

fn read(folder: &TempDir, name: &str) -> String {
    std::fs::read_to_string(folder.path().join("log").join(name)).unwrap_or_default()
}

#[test]
fn share_point_18_a_line_has_time_level_source_and_message() {
    let text = logged(
        |_| (),
        || {
            tracing::warn!(req = "00ff", count = 3, "expired request");
            tracing::error!(critical = true, "no key");
            tracing::debug!("not at INFO");
        },
    );
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    let (time, rest) = lines[0].split_once(']').unwrap();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "[9999-99-99 99:99:99,999");
    assert_eq!(rest, "[MINI-SEC-POINT] WARNING in tests.rs: expired request req=00ff count=3");
    assert!(lines[1].ends_with("[MINI-SEC-POINT] CRITICAL in tests.rs: no key"), "{text}");
}

#[test]
fn share_point_18_at_10_mib_a_new_file_begins_and_only_so_many_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = LogFile::new(&folder.path().join("log"), 2, Arc::new(ManualClock::at(NOW)));
    let line = vec![b'x'; ROTATE_AT / 2 + 1];
    for _ in 0..9 {
        file.write(&line).unwrap();
    }
    let mut names: Vec<_> = std::fs::read_dir(folder.path().join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["latest.log", "latest.log.1", "latest.log.2"]);
}

#[test]
fn with_no_files_to_keep_the_log_grows_in_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = LogFile::new(&folder.path().join("log"), 0, Arc::new(ManualClock::at(NOW)));
    let line = vec![b'x'; ROTATE_AT];
    (0..3).for_each(|_| file.write(&line).unwrap());
    let log = folder.path().join("log");
    assert_eq!(std::fs::read_dir(&log).unwrap().count(), 1);
    assert_eq!(std::fs::metadata(log.join("latest.log")).unwrap().len(), 3 * file::ROTATE_AT);
}

#[test]
fn no_name_writes_a_line_of_its_own() {
    let text = logged(|_| (), || tracing::info!(name = "a\nb\u{1b}[31m", "x\r\ny\u{2028}z\u{202e}"));
    assert_eq!(text.lines().count(), 1);
    assert!(text.ends_with("x\\r\\ny\\u{2028}z\\u{202e} name=a\\nb\\u{1b}[31m\n"), "{text}");
}

#[test]
fn json_on_request_is_one_object_a_line() {
    let text = logged(|settings| settings.json = true, || tracing::info!(count = 3, "a\nb"));
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&object["level"], &object["message"], &object["count"]),
        (&"INFO".into(), &"a\nb".into(), &3.into())
    );
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn libraries_are_heard_only_when_they_warn_and_no_stranger_makes_them() {
    let text = logged(
        |settings| settings.level = LogLevel::Debug,
        || {
            tracing::debug!(target: "sqlx::query", "a statement");
            tracing::warn!(target: "sqlx::query", "a slow statement");
            tracing::error!(target: "actix_http::h1::dispatcher", "a stranger's broken connection");
            tracing::error!(target: "rustls::common_state", "an alert that a stranger sent");
            tracing::warn!(target: "a_library_of_later", "whatever it says");
            tracing::debug!("ours");
        },
    );
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn at_debug_a_line_inside_a_call_names_its_request() {
    let inside = || {
        let call = tracing::debug_span!("call", req = %"00ff", door = "sealed", function = "f");
        call.in_scope(|| {
            tracing::info!(target: "function", "f: printed");
            tracing::warn!(req = %"0001", "names another itself");
        });
        tracing::info!("outside");
    };
    let text = logged(|settings| settings.level = LogLevel::Debug, inside);
    let ends: Vec<_> = text.lines().map(|line| line.rsplit(": ").next().unwrap()).collect();
    assert_eq!(ends, ["printed req=00ff", "names another itself req=0001", "outside"]);
    let text = logged(|settings| settings.level = LogLevel::Info, inside);
    assert!(text.contains("f: printed\n"), "{text}");
}

#[test]
fn a_folder_that_goes_away_loses_lines_but_nothing_else_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let mut file = LogFile::new(&folder.path().join("log"), 2, clock.clone());
    file.write(b"one\n").unwrap();
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a file in the way of the folder")]
    std::fs::write(folder.path().join("log"), "in the way").unwrap();
    let why = file.write(b"two\n").unwrap_err();
    assert!(why.ends_with("latest.log cannot be written: Not a directory (os error 20)"), "{why}");
    file.write(b"three\n").unwrap();
    std::fs::remove_file(folder.path().join("log")).unwrap();
    file.write(b"four\n").unwrap();
    clock.advance(Duration::from_secs(1));
    file.write(b"five\n").unwrap();
    assert_eq!(read(&folder, "latest.log"), "(3 earlier lines were lost to this file)\nfive\n");
}

fn call_ended() {
    tracing::info!(
        target: msp_core::ACCESS_LOG, req = %"00ff", door = "sealed", caller = "a b", function = "f\n\"",
        outcome = "ok", ms = 0.4126, "call"
    );
}

#[test]
fn a_call_is_a_line_like_any_other_and_comes_before_what_follows_it() {
    let text = logged(
        |_| (),
        || {
            call_ended();
            tracing::warn!("later");
            call_ended();
        },
    );
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    let (time, rest) = lines[0].split_once(']').unwrap();
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '9' } else { c }).collect();
    assert_eq!(shape, "[9999-99-99 99:99:99,999");
    let call = r#"call req=00ff door=sealed caller="a b" function=f\n" outcome=ok ms=0.413"#;
    assert_eq!(rest, format!("[MINI-SEC-POINT] INFO in access.rs: {call}"));
    assert!(lines[1].ends_with(": later"), "{text}");
    assert_eq!(lines[2], lines[0]);
}

#[test]
fn a_call_is_an_object_where_json_is_asked_for() {
    let text = logged(
        |settings| settings.json = true,
        || {
            call_ended();
            tracing::info!("call");
        },
    );
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut call = lines[0].as_object().unwrap().clone();
    for name in ["time", "level", "message"] {
        assert_eq!(call.remove(name).as_ref(), lines[1].get(name), "{name}");
    }
    assert_eq!(
        serde_json::Value::from(call),
        serde_json::json!({"file": "access.rs", "req": "00ff", "door": "sealed", "caller": "a b", "function": "f\n\"", "outcome": "ok", "ms": 0.413})
    );
}

#[test]
fn calls_have_no_lines_when_switched_off_or_below_the_level() {
    assert_eq!(logged(|settings| settings.access = false, call_ended), "");
    assert_eq!(logged(|settings| settings.level = LogLevel::Warning, call_ended), "");
}

#[test]
fn a_file_that_was_moved_away_or_replaced_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut file = LogFile::new(&folder.path().join("log"), 2, Arc::new(ManualClock::at(NOW)));
    file.write(b"one\n").unwrap();
    let path = |name: &str| folder.path().join("log").join(name);
    std::fs::rename(path("latest.log"), path("old")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "what logrotate does")]
    std::fs::write(path("latest.log"), "").unwrap();
    file.write(b"two\n").unwrap();
    std::fs::rename(path("latest.log"), path("older")).unwrap();
    file.write(b"three\n").unwrap();
    assert_eq!(
        [read(&folder, "old"), read(&folder, "older"), read(&folder, "latest.log")],
        ["one\n", "two\n", "three\n"]
    );
}

#[test]
fn a_pipe_in_the_place_of_the_log_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("latest.log");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let mut file = LogFile::new(folder.path(), 2, Arc::new(ManualClock::at(NOW)));
    let why = file.write(b"one\n").unwrap_err();
    assert!(why.contains("latest.log cannot be written"), "{why}");
}
