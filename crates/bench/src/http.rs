//! One keep-alive connection of HTTP/1.1, as cheap as it can be: the generator shares the machine with the server.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Failure;

/// The headers an answer may have.
const HEADERS: usize = 32;

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    address: SocketAddr,
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { address, stream, received: Vec::with_capacity(4096) })
    }

    /// Sends one request and reads its answer: the status and the body.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<(u16, &[u8]), Failure> {
        self.stream.write_all(request).await?;
        self.received.clear();
        loop {
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err("the server closed the connection".into());
            }
            if let Some((status, from, length)) = head(&self.received)? {
                while self.received.len() < from + length {
                    if self.stream.read_buf(&mut self.received).await? == 0 {
                        return Err("the server closed the connection".into());
                    }
                }
                return Ok((status, self.received.get(from..from + length).unwrap_or_default()));
            }
        }
    }

    /// Opens the connection anew.
    pub(crate) async fn reopen(&mut self) -> Result<(), Failure> {
        *self = Self::open(self.address).await?;
        Ok(())
    }
}

/// Status, length of the head and of the body, once the head has come.
fn head(received: &[u8]) -> Result<Option<(u16, usize, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(from) = response.parse(received)? else { return Ok(None) };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length
        .map_or(Ok(0), |header| std::str::from_utf8(header.value)?.parse::<usize>().map_err(Failure::from))?;
    Ok(Some((response.code.unwrap_or_default(), from, length)))
}

/// A GET, with a key where one is asked for.
pub(crate) fn get(path: &str, key: Option<&str>) -> Vec<u8> {
    let key = key.map_or_else(String::new, |key| format!("Authorization: Bearer {key}\r\n"));
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{key}\r\n").into_bytes()
}

/// Writes a POST of JSON into `to`; `forwarded` stands in `X-Forwarded-For`.
pub(crate) fn post(to: &mut Vec<u8>, path: &str, forwarded: Option<IpAddr>, body: &[u8]) {
    write(to, (path, "application/json"), forwarded, body);
}

/// The same to `/v1` with another type.
pub(crate) fn post_as(to: &mut Vec<u8>, content_type: &str, forwarded: Option<IpAddr>, body: &[u8]) {
    write(to, ("/v1", content_type), forwarded, body);
}

fn write(to: &mut Vec<u8>, (path, content_type): (&str, &str), forwarded: Option<IpAddr>, body: &[u8]) {
    to.clear();
    // Writing to a vector cannot fail.
    let _written = write!(to, "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n");
    if let Some(address) = forwarded {
        let _written = write!(to, "X-Forwarded-For: {address}\r\n");
    }
    let _written = write!(to, "Content-Length: {}\r\n\r\n", body.len());
    to.extend_from_slice(body);
}
