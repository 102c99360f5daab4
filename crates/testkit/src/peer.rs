//! Peers that no client library would be: slow, silent, deaf, gone, or sending what no client sends.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// Longer than anything here may take, and an end where something hangs.
const LONG: Duration = Duration::from_secs(20);

/// One connection, of which a test says each byte that is sent and when it is read.
#[derive(Debug)]
pub struct Peer(TcpStream);

impl Peer {
    /// Connects and says nothing.
    pub async fn connect(address: SocketAddr) -> Self {
        Self(timeout(LONG, TcpStream::connect(address)).await.unwrap().unwrap())
    }

    /// Connects from an address of its own; one address has no ports for tens of thousands.
    pub async fn connect_from(from: IpAddr, address: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        Self(timeout(LONG, socket.connect(address)).await.unwrap().unwrap())
    }

    /// Sends; false when the server has ended the connection, which it may before all was sent.
    #[must_use]
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Everything that comes until the server closes the connection as one does whose answer is whole.
    pub async fn to_the_end(&mut self) -> String {
        let mut received = String::new();
        timeout(LONG, self.0.read_to_string(&mut received)).await.unwrap().unwrap();
        received
    }

    /// Everything that comes until the server has had enough; a reset is an end as well.
    pub async fn until_it_ends(&mut self) -> String {
        let mut received = Vec::new();
        let _reset = timeout(LONG, self.0.read_to_end(&mut received)).await.unwrap();
        String::from_utf8(received).unwrap()
    }

    /// The head of the next answer, up to and with its blank line; nothing after it is read.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let byte = timeout(LONG, self.0.read_u8()).await.unwrap();
            head.push(byte.unwrap_or_else(|end| panic!("{end} after {:?}", String::from_utf8_lossy(&head))));
        }
        String::from_utf8(head).unwrap()
    }

    /// True while the server has neither said anything nor ended the connection.
    pub fn is_left_alone(&self) -> bool {
        self.0.peek(&mut [0]).now_or_never().is_none()
    }

    /// Goes away as one does whose machine has no more of the connection: by a reset.
    pub fn reset(self) {
        self.0.set_zero_linger().unwrap();
    }

    /// Connects, sends this, then a byte now and then until the server has had enough; what it said until then.
    pub async fn drip(address: SocketAddr, head: &str) -> String {
        let mut peer = Self::connect(address).await;
        assert!(peer.send(head).await);
        let (mut reading, mut writing) = peer.0.into_split();
        let dripping = tokio::spawn(async move {
            let mut drops = tokio::time::interval(Duration::from_millis(50));
            while writing.write_all(b"x").await.is_ok() {
                drops.tick().await;
            }
        });
        let mut received = Vec::new();
        let _reset = timeout(LONG, reading.read_to_end(&mut received)).await.unwrap();
        dripping.abort();
        String::from_utf8(received).unwrap()
    }
}
