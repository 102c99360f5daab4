//! The enrolment line: everything a new client needs, sealed for its key.
//!
//! The seal authenticates nobody: the channel that carries the line must.

use crypto_box::aead::rand_core::CryptoRngCore;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::encoding::{decode_url, encode_url};
use crate::error::DecodeError;
use crate::json_object::object;
use crate::keys::{PrivateKey, PublicKey, Secret};
use crate::names::ClientName;
use crate::sealing;

/// What the line starts with.
const PREFIX: &str = "msp1:";

/// What an enrolment line holds.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Where the server is.
    pub url: String,
    /// The server's public key.
    pub server: PublicKey,
    /// The client's secret.
    pub secret: Secret,
    /// The name of a linked client.
    pub name: Option<ClientName>,
}

#[derive(Serialize, Deserialize)]
struct Members {
    url: String,
    server: String,
    secret: Zeroizing<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<ClientName>,
}

impl Enrolment {
    /// Writes the line for the client with this key.
    pub fn seal(&self, client: &PublicKey, rng: &mut impl CryptoRngCore) -> String {
        let members = Members {
            url: self.url.clone(),
            server: self.server.to_string(),
            secret: Zeroizing::new(self.secret.dangerously_as_str().to_owned()),
            name: self.name.clone(),
        };
        // Room enough that growing leaves no copy of the secret behind; escapes in the URL take up to six bytes each.
        let mut json = Zeroizing::new(Vec::with_capacity(512 + 6 * self.url.len()));
        // A struct of strings always has a JSON form, and a vector takes it.
        let _always_written = serde_json::to_writer(&mut *json, &members);
        format!("{PREFIX}{}", encode_url(&sealing::seal(client, &json, rng)))
    }

    /// True for what has the form of such a line, whoever it is sealed to.
    #[must_use]
    pub fn is_line(line: &str) -> bool {
        line.trim().starts_with(PREFIX)
    }

    /// Reads a line with the client's private key; white space around it is ignored.
    ///
    /// # Errors
    /// [`DecodeError::Version`] when it is no enrolment line, [`DecodeError::Sealed`] when it is for another key,
    /// [`DecodeError::Point`] when the server's key in it is a bad point, else what is wrong with it.
    pub fn open(line: &str, client: &PrivateKey) -> Result<Self, DecodeError> {
        let sealed = line.trim().strip_prefix(PREFIX).ok_or(DecodeError::Version)?;
        let json = sealing::open_seal(client, &decode_url(sealed)?)?;
        let members: Members = object(&json)?;
        Ok(Self {
            server: members.server.parse().map_err(|_| DecodeError::Point)?,
            secret: Secret::parse(&members.secret).map_err(|_| DecodeError::Json)?,
            url: members.url,
            name: members.name,
        })
    }
}

#[cfg(test)]
mod tests {
    use crypto_box::aead::OsRng;

    use super::*;

    #[test]
    fn a_line_opens_for_its_client_only() {
        let (client, server) = (PrivateKey::generate(&mut OsRng), PrivateKey::generate(&mut OsRng));
        let secret = Secret::generate(&mut OsRng);
        let name = Some("laptop".parse().unwrap());
        let url = "http://box:8000/v1".to_owned();
        let enrolment = Enrolment { url, server: *server.public(), secret: secret.clone(), name };
        let line = enrolment.seal(client.public(), &mut OsRng);
        let opened = Enrolment::open(&format!("  {line}\n"), &client).unwrap();
        assert_eq!((opened.url.as_str(), &opened.server), ("http://box:8000/v1", server.public()));
        assert_eq!(opened.secret.digest(), secret.digest());
        assert_eq!(opened.name.unwrap().as_str(), "laptop");
        assert_eq!(Enrolment::open(&line, &server).unwrap_err(), DecodeError::Sealed);
        assert_eq!(Enrolment::open("msp2:AAAA", &client).unwrap_err(), DecodeError::Version);
    }
}
