//! What a client gets from the operator: its secret, the server's key, and both in one enrolment line.

use msp_protocol::enrolment::Enrolment;
use msp_protocol::{ClientName, OsRng, PublicKey, Secret};
use serde::Serialize;

use crate::context::Context;
use crate::error::AdminError;
use crate::output;
use crate::times;

/// The credentials that one client is given.
#[derive(Debug)]
pub(crate) struct IssuedCredentials<'a> {
    /// The server's public key.
    pub(crate) server: PublicKey,
    /// The client's public key.
    pub(crate) client: PublicKey,
    /// The client's new secret.
    pub(crate) secret: &'a Secret,
    /// The name of a linked client.
    pub(crate) name: Option<&'a ClientName>,
}

/// The same for a script.
#[derive(Serialize)]
struct Json<'a> {
    name: Option<&'a ClientName>,
    fingerprint: String,
    secret: &'a str,
    server_public_key: String,
    server_fingerprint: String,
    enrolment: Option<String>,
}

impl IssuedCredentials<'_> {
    /// Prints secret and enrolment line on standard error, the server's key on standard output, as the
    /// original does; for a script all of it as JSON on standard output.
    pub(crate) fn print(&self, context: &Context) -> Result<(), AdminError> {
        let enrolment = self.enrolment(context);
        if context.output.json() {
            let json = Json {
                name: self.name,
                fingerprint: self.client.fingerprint(),
                secret: self.secret.dangerously_as_str(),
                server_public_key: self.server.to_string(),
                server_fingerprint: self.server.fingerprint(),
                enrolment,
            };
            return context.output.result(&json, String::new);
        }
        let secret = format!("[{}] INFO: Client Hex Secret: ", times::log_stamp(&*context.clock));
        output::tell_secret(&secret, self.secret.dangerously_as_str())?;
        output::print(&format!("Server public key:\n\t{}", self.server))?;
        output::note(&format!(
            "Server fingerprint: {}, as `msp-client join` shows it",
            self.server.fingerprint()
        ));
        output::note("The hex secret is for clients of the Python original, which save it as client.secret");
        match enrolment {
            Some(line) => {
                output::note("Send the client this line instead, for `msp-client join`:");
                output::note(&line);
            }
            None => output::note(
                "Hint: with --url, or [Server] PublicUrl, one line for `msp-client join` is printed here too",
            ),
        }
        Ok(())
    }

    fn enrolment(&self, context: &Context) -> Option<String> {
        let url = context.settings.server.public_url.clone()?;
        let (server, secret, name) = (self.server, self.secret.clone(), self.name.cloned());
        Some(Enrolment { url, server, secret, name }.seal(&self.client, &mut OsRng))
    }
}
