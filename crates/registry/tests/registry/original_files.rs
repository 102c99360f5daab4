//! The original's files.

use msp_core::Imported;
use msp_protocol::{OsRng, PrivateKey, Secret};
use msp_registry::OriginalFiles;

use msp_testkit::suites::registry::RegistryStand as _;

use crate::fixture::Fixture;

fn read(keys: &std::path::Path, register: &std::path::Path) -> OriginalFiles {
    OriginalFiles::read(Some(keys), Some(register))
}

#[tokio::test]
async fn share_point_16_good_files_are_taken_in_once_and_faulty_ones_are_skipped_by_name() {
    let fixture = Fixture::start().await;
    let folder = fixture.path("");
    let keys: Vec<_> = (0..12).map(|_| *PrivateKey::generate(&mut OsRng).public()).collect();
    for (n, key) in keys.iter().enumerate() {
        std::fs::write(fixture.path(&format!("client_{n}.pub")), format!("{key}\nnot read")).unwrap();
    }
    for (name, text) in [
        ("client_short.pub", msp_protocol::encoding::encode_standard(&[1; 31])),
        ("client_zero.pub", msp_protocol::encoding::encode_standard(&[0; 32])),
        ("client_text.pub", "rubbish".to_owned()),
        ("other.pub", "not looked at".to_owned()),
    ] {
        std::fs::write(fixture.path(name), text).unwrap();
    }
    std::fs::write(fixture.path("client_bytes.pub"), [0xff, 0xfe]).unwrap();
    std::fs::create_dir(fixture.path("client_folder.pub")).unwrap();
    let secrets: Vec<_> = (0..3).map(|_| Secret::generate(&mut OsRng)).collect();
    let mut register = String::new();
    for secret in &secrets {
        register += secret.dangerously_as_str();
        register += "\r\n";
    }
    std::fs::write(fixture.path("clients.dev"), register + "nonsense\n\n").unwrap();

    let files = read(&folder, &fixture.path("clients.dev"));
    let report = fixture.registry.import(files.clients, false).await.unwrap();
    assert_eq!((report.keys_added, report.secrets_added), (12, 3));
    let mut skipped: Vec<_> = files
        .skipped
        .iter()
        .map(|(file, why)| format!("{}: {why}", file.file_name().unwrap().display()))
        .collect();
    skipped.sort();
    assert_eq!(
        skipped,
        [
            "client_bytes.pub: not a text file",
            "client_folder.pub: a folder, not a file",
            "client_short.pub: 31 bytes instead of 32",
            "client_text.pub: not base64 (44 characters, standard alphabet, with padding)",
            "client_zero.pub: a point of low order, which protects nothing",
            "clients.dev: line 4: not a client secret (128 lower-case hex digits)",
        ]
    );
    let again =
        fixture.registry.import(read(&folder, &fixture.path("clients.dev")).clients, false).await.unwrap();
    assert_eq!((again.keys_added, again.secrets_added), (0, 0));
    let snapshot = fixture.registry.snapshot().await.unwrap();
    assert_eq!((snapshot.clients.len(), snapshot.secrets.len()), (12, 3));
    assert!(snapshot.clients.iter().all(|client| client.classic && keys.contains(&client.key)));
}

#[tokio::test]
async fn missing_files_are_no_error() {
    let fixture = Fixture::start().await;
    let files = read(&fixture.path("none"), &fixture.path("none.dev"));
    assert_eq!(files.skipped, []);
    assert_eq!(fixture.registry.import(files.clients, false).await.unwrap(), Imported::default());
}

#[tokio::test]
async fn a_named_pipe_among_the_files_is_skipped_and_hangs_nothing() {
    let fixture = Fixture::start().await;
    for name in ["client_1.pub", "clients.dev"] {
        let made = std::process::Command::new("mkfifo").arg(fixture.path(name)).status().unwrap();
        assert!(made.success());
    }
    let files = read(&fixture.path(""), &fixture.path("clients.dev"));
    let skipped: Vec<_> = files.skipped.into_iter().map(|(_, why)| why).collect();
    assert_eq!(skipped, ["a named pipe, not a file", "a named pipe, not a file"]);
}
