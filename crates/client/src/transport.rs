//! One HTTP exchange with the sealed door; knows nothing of what is in it.

use std::time::Duration;

use reqwest::{Response, StatusCode, header, redirect, tls};

use crate::address::Address;
use crate::error::ClientError;

/// Sends bodies to one address; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
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
    /// Prepares connections that take `timeout` at most, from opening one to the end of the answer.
    ///
    /// A proxy named by the environment (`HTTPS_PROXY` and its like) is used: it learns what any watcher does.
    /// Redirects are not followed, because a door answers where it stands.
    pub(crate) fn new(address: Address, timeout: Duration) -> Result<Self, ClientError> {
        // An error means that the program has chosen a provider already; that one is used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = timed_builder(timeout).redirect(redirect::Policy::none());
        if !address.is_https() {
            // A machine without CA certificates can still speak plain HTTP.
            builder = builder.tls_certs_only(Vec::<tls::Certificate>::new());
        }
        let http = builder.build().map_err(|error| ClientError::Setup { cause: root_cause(&error) })?;
        Ok(Self { http, address, timeout })
    }

    /// Posts one JSON body and reads the whole reply.
    pub(crate) async fn post(&self, body: String) -> Result<Reply, ClientError> {
        let request = self.http.post(self.address.url()).header(header::CONTENT_TYPE, "application/json");
        let response = request.body(body).send().await.map_err(|error| self.failed(&error))?;
        let status = response.status();
        let body = self.read(response).await?;
        Ok(Reply { status, body })
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error))? {
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

    fn failed(&self, error: &reqwest::Error) -> ClientError {
        let address = self.address.clone();
        if error.is_connect() {
            ClientError::Connect { address, cause: root_cause(error) }
        } else if error.is_timeout() {
            ClientError::Timeout { address, after: self.timeout }
        } else {
            ClientError::Interrupted { address, cause: root_cause(error) }
        }
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

/// The longest wait for a connection alone.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Below the 5 s after which servers commonly close a connection that is not used: a request sent just then is lost.
const IDLE_TIMEOUT: Duration = Duration::from_secs(4);

/// The largest reply that is read, in bytes: room for an answer limit raised well above its default of 1 MiB.
const MAX_REPLY_BYTES: usize = 16 * 1024 * 1024;
