//! TLS: HTTPS and HTTP/1.1 only, and a certificate that changes while the server runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::{builder, config, shows};
use msp_testkit::{ProgramFolder, TestServer, stdout, until};

/// Makes a certificate for this machine and its key; gives the certificate as PEM.
fn certify(folder: &Path) -> String {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    for (name, text) in [("cert.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem())] {
        let new = folder.join("new~");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, folder.join(name)).unwrap();
    }
    made.cert.pem()
}

fn ssl(folder: &Path) -> String {
    let at = |name: &str| folder.join(name).display().to_string();
    format!("[SSL]\nenabled=bool:true\nkeyfile={}\ncertfile={}\n", at("key.pem"), at("cert.pem"))
}

async fn server() -> (TestServer, String, PathBuf) {
    let builder = builder("", &[("p.py", &shows("P"))]);
    let folder = builder.path().to_owned();
    let certificate = certify(&folder);
    let text = config(&folder.join("plugins"), &ssl(&folder));
    (builder.with_config(&text).start().await, certificate, folder)
}

/// A client that trusts this certificate alone.
fn trusting(certificate: &str) -> reqwest::Client {
    let _set_already = rustls::crypto::ring::default_provider().install_default();
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .no_proxy()
        .tls_certs_only([certificate])
        .build()
        .unwrap()
}

fn url(server: &TestServer, path: &str) -> String {
    format!("https://localhost:{}{path}", server.address.port())
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_18_with_a_certificate_it_is_https_only() {
    let (server, certificate, _) = server().await;
    let answered = trusting(&certificate).get(url(&server, "/p?a=1")).send().await.unwrap();
    assert_eq!((answered.status().as_u16(), answered.version()), (200, reqwest::Version::HTTP_11));
    assert!(answered.text().await.unwrap().contains(r#""a":"1""#));
    let plain = server.http().get(server.url("/p")).send().await;
    assert!(plain.is_err(), "{plain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sealed_door_works_through_tls_too() {
    let (server, certificate, _) = server().await;
    let caller = server.linked("laptop").await;
    let (rid, body) = caller.envelope(msp_testkit::NOW, "time_test", None);
    let request = trusting(&certificate).post(url(&server, "/v1")).header("Content-Type", "application/json");
    let answered = msp_testkit::Answered::of(request.body(body).send().await.unwrap()).await;
    assert!(caller.open(&rid, &answered).outcome.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_swapped_while_a_hundred_connections_run() {
    let (server, first, folder) = server().await;
    let (server, stop) = (Arc::new(server), Arc::new(AtomicBool::new(false)));
    let running: Vec<_> = (0..100)
        .map(|_| {
            let (client, server, stop) = (trusting(&first), server.clone(), stop.clone());
            tokio::spawn(async move {
                let mut calls = 0;
                while !stop.load(Ordering::SeqCst) {
                    // The connection is the first one's, whose certificate was checked then.
                    let answered = client.get(url(&server, "/p")).send().await.unwrap();
                    assert_eq!(answered.status(), 200);
                    calls += 1;
                }
                calls
            })
        })
        .collect();
    std::fs::write(folder.join("cert.pem"), "no certificate").unwrap();
    until("a bad one is noticed", async || trusting(&first).get(url(&server, "/p")).send().await.is_ok())
        .await;
    let second = certify(&folder);
    until("new connections get the new one", async || {
        trusting(&second).get(url(&server, "/p")).send().await.is_ok()
    })
    .await;
    assert!(trusting(&first).get(url(&server, "/p")).send().await.is_err());
    stop.store(true, Ordering::SeqCst);
    for connection in running {
        assert!(connection.await.unwrap() > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_same_time_and_size_is_taken_up() {
    let (builder, folders) = (builder("", &[("p.py", &shows("P"))]), tempfile::tempdir().unwrap());
    let home = builder.path().to_owned();
    let generation = |name: &str| {
        let folder = folders.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let certificate = certify(&folder);
        let mut sizes = Vec::new();
        for name in ["cert.pem", "key.pem"] {
            let file = std::fs::File::open(folder.join(name)).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
            sizes.push(file.metadata().unwrap().len());
        }
        (folder, certificate, sizes)
    };
    let (one, first, sizes) = generation("one");
    // A signature is of one size or the other.
    let (two, second, _) = std::iter::repeat_with(|| generation("two")).find(|two| two.2 == sizes).unwrap();
    std::os::unix::fs::symlink(one, home.join("tls")).unwrap();
    let text = config(&home.join("plugins"), &ssl(&home.join("tls")));
    let server = builder.with_config(&text).start().await;
    assert!(trusting(&first).get(url(&server, "/p")).send().await.is_ok());
    std::os::unix::fs::symlink(two, home.join("next")).unwrap();
    std::fs::rename(home.join("next"), home.join("tls")).unwrap();
    until("the new one is served", async || trusting(&second).get(url(&server, "/p")).send().await.is_ok())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_an_idle_connection() {
    let bench = ProgramFolder::new();
    let home = bench.path("");
    let client = trusting(&certify(&home));
    bench.write("plugins/p.py", &shows("P"));
    // Whoever waits for the drain limit is killed, and does not end well.
    let sections = format!("{}[Limits]\nDrainTimeout=300\n", ssl(&home));
    bench.write("config/config.ini", &config(&bench.path("plugins"), &sections));
    let server = bench.serve();
    let place = format!("https://localhost:{}/p", server.address.port());
    let answered = client.get(&place).send().await.unwrap();
    assert_eq!(answered.status(), 200);
    let stopped = tokio::task::spawn_blocking(move || server.stop());
    assert!(tokio::time::timeout(Duration::from_secs(20), stopped).await.unwrap().unwrap().success());
    drop(client);
}

#[test]
fn plugin_18_a_certificate_that_cannot_be_used_stops_the_start() {
    let bench = ProgramFolder::new();
    let home = bench.path("");
    bench.write("plugins/p.py", &shows("P"));
    bench.write("config/config.ini", &config(&bench.path("plugins"), &ssl(&home)));
    let told = |bench: &ProgramFolder| {
        let output = bench.run("msp-server", &["--port", "0"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        text.lines().last().unwrap().to_owned()
    };
    assert!(told(&bench).contains("[SSL] certfile"), "{}", told(&bench));
    certify(&home);
    std::fs::write(home.join("key.pem"), "no key").unwrap();
    assert!(told(&bench).contains("[SSL] keyfile"), "{}", told(&bench));
    certify(&home);
    let other = std::fs::read(home.join("key.pem")).unwrap();
    certify(&home);
    std::fs::write(home.join("key.pem"), other).unwrap();
    assert!(told(&bench).contains("none of its certificates is that of the key"), "{}", told(&bench));
    certify(&home);
    let good = std::fs::read_to_string(home.join("key.pem")).unwrap();
    // DER: version [0] INTEGER 2 becomes 0.
    let mut old = CertificateDer::from_pem_file(home.join("cert.pem")).unwrap().to_vec();
    let version = old.windows(5).position(|bytes| bytes == [0xa0, 3, 2, 1, 2]).unwrap();
    old[version + 4] = 0;
    let certificate = std::fs::read_to_string(home.join("cert.pem")).unwrap();
    std::fs::write(home.join("cert.pem"), as_pem("CERTIFICATE", &old)).unwrap();
    assert!(told(&bench).contains("X.509 version 1"), "{}", told(&bench));
    std::fs::write(home.join("cert.pem"), certificate).unwrap();
    let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
                     -----END RSA PRIVATE KEY-----\n";
    for key in [encrypted.to_owned(), good.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")] {
        std::fs::write(home.join("key.pem"), key).unwrap();
        assert!(told(&bench).contains("the key is encrypted; take its passphrase off"), "{}", told(&bench));
    }
    // SEC 1: version 1, 66 bytes, and the name of secp521r1.
    let p521 =
        [&[0x30, 0x50, 2, 1, 1, 4, 66][..], &[1; 66], &[0xa0, 7, 6, 5, 0x2b, 0x81, 4, 0, 0x23]].concat();
    std::fs::write(home.join("key.pem"), as_pem("EC PRIVATE KEY", &p521)).unwrap();
    assert!(told(&bench).contains("no key of a kind that can serve; right: RSA"), "{}", told(&bench));
}

#[test]
fn the_client_says_what_would_be_right_about_a_servers_certificate() {
    let bench = ProgramFolder::new();
    let home = bench.path("");
    bench.write("config/config.ini", &ssl(&home));
    some_keys(&bench);
    let certify = |name: &str, last_year: bool| {
        let mut builder = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        if last_year {
            builder.not_after = rcgen::date_time_ymd(2020, 1, 1);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        std::fs::write(home.join("cert.pem"), builder.self_signed(&key).unwrap().pem()).unwrap();
        std::fs::write(home.join("key.pem"), key.serialize_pem()).unwrap();
    };
    for (name, last_year, trusted, told) in [
        (
            "localhost",
            false,
            false,
            "UnknownIssuer; no CA that is trusted here has issued it; name yours with --cafile",
        ),
        ("other.example", false, true, "; call the server by a name that it holds"),
        ("localhost", true, true, "; have it renewed, or correct this machine's clock"),
    ] {
        certify(name, last_year);
        let server = bench.serve();
        std::fs::copy(bench.path("sec/server.pub"), bench.path("server.pub")).unwrap();
        let place = format!("https://localhost:{}", server.address.port());
        let options = if trusted { &["--cafile", "cert.pem"][..] } else { &[] };
        let output = bench.run("msp-client", &[&["call", &place, "time_test"][..], options].concat());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(told), "{error}");
        assert!(server.stop().success());
    }
}

/// Sends whoever asks once to where the server is.
fn redirecting(to: String) -> std::net::SocketAddr {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut chunk = [0; 4096];
        while !request.ends_with(b"}") {
            let length = stream.read(&mut chunk).unwrap();
            request.extend_from_slice(&chunk[..length]);
        }
        let head = "HTTP/1.1 308 Permanent Redirect\r\nContent-Length: 0\r\nLocation:";
        write!(stream, "{head} {to}\r\n\r\n").unwrap();
    });
    address
}

#[test]
fn the_client_follows_a_redirect_from_plain_http_to_tls_on_the_same_host() {
    let bench = ProgramFolder::new();
    let home = bench.path("");
    bench.write("config/config.ini", &ssl(&home));
    certify(&home);
    some_keys(&bench);
    let server = bench.serve();
    std::fs::copy(bench.path("sec/server.pub"), bench.path("server.pub")).unwrap();
    let port = server.address.port();
    for (host, told) in [
        // A stranger there: so it has come to the server.
        ("localhost", "refused the call (401)".to_owned()),
        ("127.0.0.1", format!("redirects to https://localhost:{port}/v1/ (308), which is not followed")),
    ] {
        let plain = redirecting(format!("https://localhost:{port}/v1/"));
        let place = format!("http://{host}:{}", plain.port());
        let output = bench.run("msp-client", &["call", &place, "time_test", "--cafile", "cert.pem"]);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(&told), "{error}");
    }
    assert!(server.stop().success());
}

/// Keys of a client that no server knows.
fn some_keys(bench: &ProgramFolder) {
    use msp_protocol::{OsRng, PrivateKey, Secret};
    bench.write("client.key", &PrivateKey::generate(&mut OsRng).dangerously_to_base64());
    bench.write("client.secret", Secret::generate(&mut OsRng).dangerously_as_str());
}

/// What the server shows, in its order.
async fn certificates(server: &TestServer, trusted: &str) -> Vec<Vec<u8>> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap().iter().map(|certificate| certificate.to_vec()).collect()
}

fn as_pem(label: &str, der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_glued_or_begins_with_another_certificate_is_served_whole() {
    let other = rcgen::generate_simple_self_signed(["other".to_owned()]).unwrap().cert.pem();
    for own_first in [true, false] {
        let builder = builder("", &[("p.py", &shows("P"))]);
        let folder = builder.path().to_owned();
        let own = certify(&folder);
        let parts = if own_first { [own.as_str(), &other] } else { [other.as_str(), &own] };
        std::fs::write(folder.join("cert.pem"), parts.map(str::trim_end).concat()).unwrap();
        let text = config(&folder.join("plugins"), &ssl(&folder));
        let server = builder.with_config(&text).start().await;
        assert_eq!(trusting(&own).get(url(&server, "/p")).send().await.unwrap().status(), 200);
        let told = certificates(&server, &own).await;
        let expected =
            [&own, &other].map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec());
        assert_eq!(told, expected, "own first: {own_first}");
    }
}

#[test]
fn who_offers_http_2_is_given_http_1_1() {
    let bench = ProgramFolder::new();
    let home = bench.path("");
    certify(&home);
    bench.write("plugins/p.py", &shows("P"));
    bench.write("config/config.ini", &config(&bench.path("plugins"), &ssl(&home)));
    let server = bench.serve();
    let place = format!("https://localhost:{}/p?a=1", server.address.port());
    for option in ["--http2", "--http1.1"] {
        let arguments = ["-sS", "--cacert", "cert.pem", option, "-w", " %{http_version}", &place];
        let told = stdout(&bench.run("curl", &arguments));
        assert!(told.ends_with("} 1.1") && told.contains(r#""a":"1""#), "{told}");
    }
    assert!(server.stop().success());
}
