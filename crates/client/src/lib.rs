//! Calls functions of a mini-share-point server.
//!
//! A [`Client`] seals every call for the server whose public key it was given, and takes no answer that is not
//! sealed by that server for that very call. So nothing between the two needs to be trusted, plain HTTP included.
//!
//! ```no_run
//! # async fn example(keys: msp_client::ClientKeys) -> Result<(), Box<dyn std::error::Error>> {
//! let client = msp_client::Client::builder("http://localhost:8000").keys(keys).build()?;
//! let answer = client.call(&"time_test".parse()?, None).await?;
//! # Ok(())
//! # }
//! ```
//!
//! The command line `msp-client` is built on it; only that talks to a person, reads profiles and knows the home
//! folder.

mod address;
mod builtin;
mod client;
mod clock;
mod error;
mod retry;
mod transport;

pub use address::{Address, AddressError};
pub use builtin::{FunctionInfo, Ping};
pub use client::{Client, ClientBuilder, ClientKeys};
pub use clock::{Clock, SystemClock};
pub use error::ClientError;
