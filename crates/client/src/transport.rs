//! One HTTP exchange with the sealed door; knows nothing of what is in it.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Response, StatusCode, Url, header, redirect, tls};

use crate::address::Address;
use crate::error::ClientError;

/// Sends bodies to one address; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    /// For where a plain address redirects to TLS.
    upgraded: Arc<OnceLock<reqwest::Client>>,
    authorities: Option<Vec<tls::Certificate>>,
    address: Address,
    timeout: Duration,
}

/// What came back, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

impl Transport {
    /// Prepares connections that take `timeout` at most, from opening one to the end of the answer. With a file of CA
    /// certificates, no others are trusted.
    ///
    /// A proxy named by the environment (`HTTPS_PROXY` and its like) is used: it learns what any watcher does.
    pub(crate) fn new(
        address: Address,
        timeout: Duration,
        ca_file: Option<&Path>,
    ) -> Result<Self, ClientError> {
        // An error means that the program has chosen a provider already; that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let authorities = ca_file.map(read_authorities).transpose()?;
        // A machine without CA certificates can still speak plain HTTP.
        let trusted = if address.is_https() { authorities.clone() } else { Some(Vec::new()) };
        let http = connect_with(timeout, trusted)?;
        Ok(Self { http, upgraded: Arc::default(), authorities, address, timeout })
    }

    /// Posts one JSON body and reads the whole reply.
    ///
    /// 307 and 308 are followed to the same host, from plain HTTP to TLS too: what is sent is sealed to the server's key,
    /// wherever it goes.
    pub(crate) async fn post(&self, body: String) -> Result<Reply, ClientError> {
        let posted = tokio::time::timeout(self.timeout, self.post_and_follow(&body)).await;
        posted.unwrap_or_else(|_| {
            Err(ClientError::Timeout { address: self.address.clone(), after: self.timeout })
        })
    }

    async fn post_and_follow(&self, body: &str) -> Result<Reply, ClientError> {
        let mut url = self.address.url();
        for _ in 0..=REDIRECTS {
            let http = self.client_for(&url)?;
            let request = http.post(url.clone()).header(header::CONTENT_TYPE, "application/json");
            let response =
                request.body(body.to_owned()).send().await.map_err(|error| self.failed(&url, &error))?;
            if !response.status().is_redirection() {
                let status = response.status();
                return Ok(Reply { status, body: self.read(&url, response).await? });
            }
            url = self.redirected(&url, &response)?;
        }
        let to = "itself, again and again".to_owned();
        Err(ClientError::Redirect { address: self.address.clone(), status: 308, to })
    }

    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, ClientError> {
        if self.address.is_https() || url.scheme() == "http" {
            return Ok(&self.http);
        }
        if let Some(client) = self.upgraded.get() {
            return Ok(client);
        }
        let client = connect_with(self.timeout, self.authorities.clone())?;
        Ok(self.upgraded.get_or_init(|| client))
    }

    /// Where the request is to go instead.
    fn redirected(&self, from: &Url, response: &Response) -> Result<Url, ClientError> {
        let status = response.status();
        let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let next = to.and_then(|to| from.join(to).ok());
        let keeps_body = matches!(status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
        let is_same = |next: &Url| {
            let (here, there) = (from.scheme(), next.scheme());
            let safe = here == there && from.port_or_known_default() == next.port_or_known_default()
                || (here, there) == ("http", "https");
            safe && from.host() == next.host() && next.username().is_empty() && next.password().is_none()
        };
        next.filter(|next| keeps_body && is_same(next)).ok_or_else(|| ClientError::Redirect {
            address: self.address.clone(),
            status: status.as_u16(),
            to: to.unwrap_or("nowhere").escape_debug().to_string(),
        })
    }

    async fn read(&self, url: &Url, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(url, &error))? {
            if body.len() + chunk.len() > MAX_REPLY_BYTES {
                return Err(ClientError::TooLarge {
                    address: self.address.clone(),
                    max_bytes: MAX_REPLY_BYTES,
                });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn failed(&self, url: &Url, error: &reqwest::Error) -> ClientError {
        let (address, cause) = (self.address.clone(), root_cause(error));
        let other = |scheme: &str| {
            let other = url.as_str().replacen(url.scheme(), scheme, 1);
            other.trim_end_matches('/').trim_end_matches("/v1").to_owned()
        };
        if url.scheme() == "https" && cause.contains("InvalidContentType") {
            let cause = format!("what answers there speaks no TLS; perhaps {} is right", other("http"));
            return ClientError::Connect { address, cause };
        }
        if url.scheme() == "http" && cause.contains("invalid HTTP version") {
            let cause =
                format!("what answers there speaks no plain HTTP; perhaps {} is right", other("https"));
            return ClientError::Connect { address, cause };
        }
        let hint = TLS_HINTS.iter().find(|(fault, _)| cause.contains(fault));
        let cause = hint.map_or(cause.clone(), |(_, hint)| format!("{cause}; {hint}"));
        if error.is_connect() {
            ClientError::Connect { address, cause }
        } else if error.is_timeout() {
            ClientError::Timeout { address, after: self.timeout }
        } else {
            ClientError::Interrupted { address, cause }
        }
    }
}

/// With these certificates of authorities alone, or with those of the machine (`SSL_CERT_FILE`, `SSL_CERT_DIR`).
fn connect_with(
    timeout: Duration,
    trusted: Option<Vec<tls::Certificate>>,
) -> Result<reqwest::Client, ClientError> {
    // Where a redirect leads is looked at here.
    let mut builder = timed_builder(timeout).redirect(redirect::Policy::none());
    if let Some(trusted) = trusted {
        builder = builder.tls_certs_only(trusted);
    }
    builder.build().map_err(|error| ClientError::Setup { cause: root_cause(&error) })
}

fn read_authorities(path: &Path) -> Result<Vec<tls::Certificate>, ClientError> {
    let failed = |cause: String| ClientError::CaFile { path: path.display().to_string(), cause };
    let pem = std::fs::read(path).map_err(|error| failed(error.to_string()))?;
    match tls::Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if certificates.is_empty() => Err(failed("no certificate in it".to_owned())),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(failed(root_cause(&error))),
    }
}

#[expect(clippy::disallowed_methods, reason = "the client's one place, and it sets every time limit")]
fn timed_builder(timeout: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .connect_timeout(timeout.min(CONNECT_TIMEOUT))
        .timeout(timeout)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .user_agent(concat!("msp-client/", env!("CARGO_PKG_VERSION")))
}

/// The innermost cause: the layers above it only repeat that something failed.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let mut outermost = true;
    while let Some(inner) = cause.source() {
        cause = inner;
        outermost = false;
    }
    let text = if outermost { "the exchange failed".to_owned() } else { cause.to_string() };
    text.escape_debug().to_string()
}

/// What would be right, by rustls's words for what is wrong with a server's certificate.
const TLS_HINTS: [(&str, &str); 5] = [
    ("UnknownIssuer", "no CA that is trusted here has issued it; name yours with --cafile or SSL_CERT_FILE"),
    ("CaUsedAsEndEntity", "it is a CA's; make the server's own with basicConstraints=CA:FALSE"),
    ("not valid for name", "call the server by a name that it holds, or have it issued for this one"),
    ("certificate expired", "have it renewed, or correct this machine's clock"),
    ("not valid yet", "wait, or correct this machine's clock"),
];

/// How many redirects one request follows.
const REDIRECTS: usize = 3;

/// The longest wait for a connection alone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Below the 5 s after which servers commonly close a connection that is not used: a request sent just then is lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The largest reply that is read, in bytes: room for an answer limit raised well above its default of 1 MiB.
const MAX_REPLY_BYTES: usize = 16 * 1024 * 1024;
