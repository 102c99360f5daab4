//! The client: one call after the other, each sealed anew.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use msp_protocol::envelope::{FailureCode, PairKeys, RequestParts, Rid};
use msp_protocol::sealing::BoxKey;
use msp_protocol::{
    Body, DecodeError, ErrorCode, FunctionName, OsRng, PrivateKey, PublicKey, Secret, UnixSecond, classic,
};
use reqwest::StatusCode;
use serde_json::Value;

use crate::address::Address;
use crate::clock::{Clock, SystemClock};
use crate::error::ClientError;
use crate::retry::Retries;
use crate::transport::{Reply, Transport};

/// Who a client is, and which server it trusts.
#[derive(Debug, Clone)]
pub struct ClientKeys {
    /// This client's private key.
    pub private: PrivateKey,
    /// The server's public key, from a channel that can be trusted: it is never fetched.
    pub server: PublicKey,
    /// The secret that the server gave this client.
    pub secret: Secret,
}

/// Calls functions of one server; a clone shares connections and the knowledge of the server's clock.
#[derive(Debug, Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    address: Address,
    transport: Transport,
    keys: ClientKeys,
    pair: PairKeys,
    classic: BoxKey,
    clock: Arc<dyn Clock>,
    /// The server's clock minus ours, in seconds.
    offset: AtomicI64,
}

impl Client {
    /// Starts making a client for the server at `url`, with or without `/v1` at its end.
    #[must_use]
    pub fn builder(url: &str) -> ClientBuilder {
        ClientBuilder {
            url: url.to_owned(),
            keys: None,
            timeout: DEFAULT_TIMEOUT,
            ca_file: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// Calls a function in the envelope shape and returns its answer.
    ///
    /// Tries again only where the call surely has not run: when no connection could be opened and when the server
    /// is `busy` (three times, waiting longer each time), and once when the server says that the clocks differ. Then the
    /// client goes by the server's clock from there on. It never falls back to the classic shape.
    ///
    /// # Errors
    /// Any [`ClientError`] but those of building.
    pub async fn call(&self, function: &FunctionName, args: Option<Value>) -> Result<Value, ClientError> {
        let mut retries = Retries::default();
        loop {
            match self.call_once(function, args.as_ref(), retries.not_before()).await {
                Ok(value) => return Ok(value),
                Err(error) => {
                    self.follow_server_clock(&error);
                    let wait = retries.after(error, &mut OsRng)?;
                    self.inner.clock.wait(wait).await;
                }
            }
        }
    }

    /// Calls a function in the classic shape, as the original server understands it: no arguments, text only.
    ///
    /// An answer of this shape proves that the server made it, but not that it made it for this call.
    ///
    /// # Errors
    /// As [`call`](Self::call), but a server tells no reasons in this shape: [`ClientError::Refused`] for every
    /// refusal, [`ClientError::ClassicFailed`] when the function failed.
    pub async fn call_classic(&self, function: &FunctionName) -> Result<String, ClientError> {
        let mut retries = Retries::default();
        loop {
            match self.call_classic_once(function).await {
                Ok(text) => return Ok(text),
                Err(error) => {
                    let wait = retries.after(error, &mut OsRng)?;
                    self.inner.clock.wait(wait).await;
                }
            }
        }
    }
}

impl Client {
    /// The server's address.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.inner.address
    }

    async fn call_once(
        &self,
        function: &FunctionName,
        args: Option<&Value>,
        not_before: UnixSecond,
    ) -> Result<Value, ClientError> {
        let Inner { keys, pair, .. } = &*self.inner;
        let rid = Rid::generate(&mut OsRng);
        let ts = self.server_time().max(not_before);
        let parts = RequestParts { secret: &keys.secret, ts, entry: function, rid: &rid, args };
        let body = pair.request(&parts, &mut OsRng).map_err(|cause| ClientError::Request { cause })?;
        let reply = self.inner.transport.post(body).await?;
        self.check_status(&reply)?;
        let answer = pair.open_answer(&rid, &reply.body).map_err(|cause| self.not_authentic(cause))?;
        answer.outcome.map_err(|failure| ClientError::Answer {
            code: failure.code,
            message: failure.message,
            not_before: failure.not_before,
            server_time: answer.ts,
            request: answer.req,
        })
    }

    async fn call_classic_once(&self, function: &FunctionName) -> Result<String, ClientError> {
        let Inner { keys, classic: key, .. } = &*self.inner;
        let body = classic::Request::build(key, &keys.secret, self.server_time(), function, &mut OsRng);
        let reply = self.inner.transport.post(body.clone()).await?;
        if reply.status == StatusCode::INTERNAL_SERVER_ERROR {
            let (address, function) = (self.address().clone(), function.clone());
            return Err(ClientError::ClassicFailed { address, function });
        }
        self.check_status(&reply)?;
        if Body::is_reflection(&body, &reply.body) {
            return Err(self.not_authentic(DecodeError::Sealed));
        }
        classic::open_reply(key, &reply.body).map_err(|cause| self.not_authentic(cause))
    }

    /// Lets through what may hold an answer: a 200, and a 401 that is not the plain one.
    fn check_status(&self, reply: &Reply) -> Result<(), ClientError> {
        let address = self.address().clone();
        match reply.status {
            StatusCode::OK => Ok(()),
            StatusCode::UNAUTHORIZED if reply.body.is_empty() => Err(ClientError::Refused { address }),
            StatusCode::UNAUTHORIZED => Ok(()),
            status => Err(ClientError::Status { address, status: status.as_u16() }),
        }
    }

    fn not_authentic(&self, cause: DecodeError) -> ClientError {
        ClientError::NotAuthentic { address: self.address().clone(), cause }
    }

    /// Our clock, corrected by what the server has said.
    fn server_time(&self) -> UnixSecond {
        self.inner.clock.unix().saturating_add_signed(self.inner.offset.load(Ordering::Relaxed))
    }

    /// Goes by the server's clock from here on, if that is why it refused.
    fn follow_server_clock(&self, error: &ClientError) {
        if let ClientError::Answer { code: FailureCode::Known(ErrorCode::ClockSkew), server_time, .. } = error
        {
            let ours = i64::try_from(self.inner.clock.unix()).unwrap_or(i64::MAX);
            let theirs = i64::try_from(*server_time).unwrap_or(i64::MAX);
            self.inner.offset.store(theirs.saturating_sub(ours), Ordering::Relaxed);
        }
    }
}

/// What a [`Client`] is made from.
#[derive(Debug, Clone)]
pub struct ClientBuilder {
    url: String,
    keys: Option<ClientKeys>,
    timeout: Duration,
    ca_file: Option<PathBuf>,
    clock: Arc<dyn Clock>,
}

impl ClientBuilder {
    /// Sets who the client is and which server it trusts; needed.
    #[must_use]
    pub fn keys(mut self, keys: ClientKeys) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Sets the time limit of one attempt, from opening the connection to the end of the answer; 60 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Trusts the CA certificates of this PEM file, and no others, for TLS. Without it those of the machine count, or of
    /// the files that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.
    #[must_use]
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Goes by another clock than the machine's, as tests do.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Makes the client; opens no connection yet.
    ///
    /// # Errors
    /// [`ClientError::Address`], [`ClientError::NoKeys`], [`ClientError::ServerKey`], [`ClientError::CaFile`] or
    /// [`ClientError::Setup`].
    pub fn build(self) -> Result<Client, ClientError> {
        let address: Address = self.url.parse()?;
        let keys = self.keys.ok_or(ClientError::NoKeys)?;
        let inner = Inner {
            transport: Transport::new(address.clone(), self.timeout, self.ca_file.as_deref())?,
            address,
            pair: PairKeys::of_client(&keys.private, &keys.server).ok_or(ClientError::ServerKey)?,
            classic: BoxKey::agree(&keys.private, &keys.server),
            keys,
            clock: self.clock,
            offset: AtomicI64::new(0),
        };
        Ok(Client { inner: Arc::new(inner) })
    }
}

/// Longer than the server's own default limit for a call, 30 s, so that its answer arrives.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
