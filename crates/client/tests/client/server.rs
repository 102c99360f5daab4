//! A server in miniature: real keys and real messages, but every answer as the test wants it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use msp_client::{Client, ClientKeys};
use msp_protocol::classic::{self, ReplyTag};
use msp_protocol::envelope::{self, Answer, Failure, PairKeys};
use msp_protocol::sealing::BoxKey;
use msp_protocol::{Body, ErrorCode, OsRng, PrivateKey, Secret, UnixSecond};
use serde_json::Value;

/// What the server does with one request.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// Answers with a value; in the classic shape with its text.
    Value(Value),
    /// Answers with an error; `clock_skew` with status 401.
    Failure { code: ErrorCode, server_time: UnixSecond, not_before: Option<UnixSecond> },
    /// Answers properly, but to another request.
    OtherRid,
    /// Answers properly, but as another server.
    OtherKey,
    /// Sends back what the client has sent as `id` (classic).
    ReflectedSecret,
    /// Answers with a status, a header line and a body that is not sealed.
    Plain(u16, &'static str, &'static str),
    /// Promises more than it sends, then closes.
    Truncated,
    /// Sends without end.
    Flood,
    /// Reads the request and says nothing for as long as the client waits.
    Hang,
    /// Reads the request and closes.
    Close,
}

/// One request, as the server understood it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) entry: String,
    pub(crate) ts: UnixSecond,
    pub(crate) args: Option<Value>,
    /// Empty in the classic shape.
    pub(crate) rid: Vec<u8>,
}

/// The server; a request beyond its script is answered with status 500 and seen too.
pub(crate) struct FakeServer {
    pub(crate) url: String,
    pub(crate) key: PrivateKey,
    pub(crate) client: PrivateKey,
    pub(crate) secret: Secret,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FakeServer {
    pub(crate) fn start(script: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            key: PrivateKey::generate(&mut OsRng),
            client: PrivateKey::generate(&mut OsRng),
            secret: Secret::generate(&mut OsRng),
            seen: Arc::default(),
        };
        let (key, client, seen) = (server.key.clone(), server.client.clone(), Arc::clone(&server.seen));
        let mut script = script.into_iter();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let step = script.next().unwrap_or(Step::Plain(500, "", ""));
                Exchange { key: &key, client: &client, stream: stream.unwrap() }.serve(step, &seen);
            }
        });
        server
    }

    pub(crate) fn keys(&self) -> ClientKeys {
        ClientKeys { private: self.client.clone(), server: *self.key.public(), secret: self.secret.clone() }
    }

    pub(crate) fn client(&self) -> Client {
        Client::builder(&self.url).keys(self.keys()).build().unwrap()
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

/// One connection with one request.
struct Exchange<'a> {
    key: &'a PrivateKey,
    client: &'a PrivateKey,
    stream: TcpStream,
}

impl Exchange<'_> {
    fn serve(mut self, step: Step, seen: &Mutex<Vec<Seen>>) {
        let Some((path, body)) = self.read() else { return };
        let (request, sealer) = self.understand(&path, &body);
        seen.lock().unwrap().push(request);
        match step {
            Step::Plain(status, header, body) => self.send(status, header, body),
            Step::Truncated => self.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"value\":"),
            Step::Flood => self.flood(),
            Step::Hang => {
                // Reading ends when the client gives up.
                let _ = self.stream.read(&mut [0]);
            }
            Step::Close => {}
            step => {
                let (status, reply) = sealer.seal(self.key, self.client, step);
                self.send(status, "Content-Type: application/json", &reply);
            }
        }
        let _closed_by_the_client = self.stream.shutdown(Shutdown::Both);
    }

    /// The path and the body of one request; none when the client only connected.
    fn read(&mut self) -> Option<(String, String)> {
        let mut reader = BufReader::new(self.stream.try_clone().unwrap());
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let path = line.split(' ').nth(1)?.to_owned();
        let mut length = 0;
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).ok()?;
            if header.trim().is_empty() {
                break;
            }
            if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some((path, String::from_utf8(body).unwrap()))
    }

    fn understand(&self, path: &str, body: &str) -> (Seen, Sealer) {
        match Body::parse(body.as_bytes()).unwrap() {
            Body::Classic(request) => {
                let opened = request.open(&BoxKey::agree(self.key, self.client.public())).unwrap();
                let entry = opened.entry.to_string();
                let seen = Seen { path: path.to_owned(), entry, ts: opened.ts, args: None, rid: Vec::new() };
                (seen, Sealer::Classic(body.to_owned()))
            }
            Body::Envelope(sealed) => {
                let outer = envelope::Outer::open(self.key, &sealed).unwrap();
                let keys = PairKeys::of_server(self.key, self.client.public()).unwrap();
                let message = outer.message(&keys).unwrap();
                let rid = message.rid.as_bytes().to_vec();
                let entry = message.entry.to_string();
                let seen = Seen { path: path.to_owned(), entry, ts: message.ts, args: message.args, rid };
                (seen, Sealer::Envelope(message.rid))
            }
        }
    }

    fn send(&mut self, status: u16, header: &str, body: &str) {
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} X\r\n{header}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        self.write((head + body).as_bytes());
    }

    fn flood(&mut self) {
        self.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x1_0000));
        while self.stream.write_all(chunk.as_bytes()).is_ok() {}
    }

    fn write(&mut self, bytes: &[u8]) {
        let _closed_by_the_client = self.stream.write_all(bytes);
    }
}

/// What an answer must fit.
enum Sealer {
    /// The request's body.
    Classic(String),
    Envelope(envelope::Rid),
}

impl Sealer {
    fn seal(&self, server: &PrivateKey, client: &PrivateKey, step: Step) -> (u16, String) {
        let other = PrivateKey::generate(&mut OsRng);
        let server = if matches!(step, Step::OtherKey) { &other } else { server };
        match self {
            Self::Classic(request) => {
                if matches!(step, Step::ReflectedSecret) {
                    let request: Value = serde_json::from_str(request).unwrap();
                    return (200, serde_json::json!({ "value": request["id"] }).to_string());
                }
                let text = if let Step::Value(Value::String(text)) = &step { text.as_str() } else { "text" };
                let key = BoxKey::agree(server, client.public());
                (200, classic::seal_reply(&key, &ReplyTag::new(server), text, &mut OsRng))
            }
            Self::Envelope(rid) => {
                let keys = PairKeys::of_server(server, client.public()).unwrap();
                let rid = match step {
                    Step::OtherRid => envelope::Rid::generate(&mut OsRng),
                    _ => *rid,
                };
                let (status, ts, outcome) = match step {
                    Step::Value(value) => (200, 0, Ok(value)),
                    Step::Failure { code, server_time, not_before } => {
                        let status = if code == ErrorCode::ClockSkew { 401 } else { 200 };
                        let failure = Failure { code: code.into(), message: "why".to_owned(), not_before };
                        (status, server_time, Err(failure))
                    }
                    _ => (200, 0, Ok(Value::Null)),
                };
                let answer = Answer { ts, req: "00ff".to_owned(), outcome };
                (status, keys.seal_answer(&rid, &answer, &mut OsRng))
            }
        }
    }
}
