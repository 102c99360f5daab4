//! Bodies that need no answer of a certain content: for the yardstick.

use super::Traffic;
use crate::Failure;
use crate::http;

/// The same body again and again; the answer must be 200 and of the right size.
#[derive(Debug)]
pub(crate) struct Bodies {
    pub(crate) body: Vec<u8>,
    pub(crate) answer: usize,
    /// Whether `X-Forwarded-For` is sent along, as in what it is compared with.
    pub(crate) forwarded: bool,
}

impl Traffic for Bodies {
    type Ticket = ();

    fn request(&self, _n: u64, to: &mut Vec<u8>) -> Result<(), Failure> {
        let forwarded = self.forwarded.then(|| [10, 1, 2, 3].into());
        http::post(to, "/v1", forwarded, &self.body);
        Ok(())
    }

    fn check(&self, (): (), status: u16, body: &[u8]) -> Result<(), Failure> {
        if status == 200 && body.len() == self.answer {
            Ok(())
        } else {
            Err(format!("status {status}").into())
        }
    }
}
