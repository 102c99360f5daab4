use std::path::Path;
use std::time::Duration;

use msp_core::clock::ManualClock;
use tempfile::TempDir;

use super::*;

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
    LogSettings { level: LogLevel::Info, directory: folder.join("log"), max_files: 2, json: false }
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
    let line = vec![b'x'; file::ROTATE_AT / 2 + 1];
    for _ in 0..9 {
        file.write(&line);
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
    let line = vec![b'x'; file::ROTATE_AT];
    (0..3).for_each(|_| file.write(&line));
    let log = folder.path().join("log");
    assert_eq!(std::fs::read_dir(&log).unwrap().count(), 1);
    assert_eq!(std::fs::metadata(log.join("latest.log")).unwrap().len(), 3 * file::ROTATE_AT as u64);
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
fn libraries_are_heard_only_when_they_warn() {
    let text = logged(
        |settings| settings.level = LogLevel::Debug,
        || {
            tracing::debug!(target: "sqlx::query", "a statement");
            tracing::warn!(target: "sqlx::query", "a slow statement");
            tracing::error!(target: "actix_http::h1::dispatcher", "a stranger's broken connection");
            tracing::debug!("ours");
        },
    );
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn a_folder_that_goes_away_loses_lines_but_nothing_else_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let mut file = LogFile::new(&folder.path().join("log"), 2, clock.clone());
    file.write(b"one\n");
    std::fs::remove_dir_all(folder.path().join("log")).unwrap();
    #[expect(clippy::disallowed_methods, reason = "a file in the way of the folder")]
    std::fs::write(folder.path().join("log"), "in the way").unwrap();
    file.write(b"two\n");
    file.write(b"three\n");
    std::fs::remove_file(folder.path().join("log")).unwrap();
    file.write(b"four\n");
    clock.advance(Duration::from_secs(1));
    file.write(b"five\n");
    assert_eq!(read(&folder, "latest.log"), "(3 earlier lines were lost to this file)\nfive\n");
}
