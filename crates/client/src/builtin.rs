//! The two functions that every server answers without a grant.

use msp_protocol::{FunctionName, UnixSecond};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::ClientError;

/// The answer of `msp/ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// The server's version.
    pub version: String,
    /// The server's clock.
    pub time: UnixSecond,
}

/// One function that this client may call, as `msp/functions` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionInfo {
    /// What to call.
    pub name: FunctionName,
    /// `read` or `write`.
    pub access: String,
    /// What the operator says about it.
    #[serde(default)]
    pub description: Option<String>,
}

impl Client {
    /// Asks the server for its version and time.
    ///
    /// # Errors
    /// As [`call`](Self::call), and [`ClientError::Unexpected`].
    pub async fn ping(&self) -> Result<Ping, ClientError> {
        self.call_builtin("msp/ping").await
    }

    /// Asks which functions this client may call.
    ///
    /// # Errors
    /// As [`call`](Self::call), and [`ClientError::Unexpected`].
    pub async fn functions(&self) -> Result<Vec<FunctionInfo>, ClientError> {
        self.call_builtin("msp/functions").await
    }

    async fn call_builtin<T: DeserializeOwned>(&self, function: &'static str) -> Result<T, ClientError> {
        let unexpected = || ClientError::Unexpected { address: self.address().clone(), function };
        let name: FunctionName = function.parse().map_err(|_| unexpected())?;
        let answer = self.call(&name, None).await?;
        serde_json::from_value(answer).map_err(|_| unexpected())
    }
}
