//! Randomness that was written down before.

use crypto_box::aead::rand_core::{CryptoRng, Error, RngCore};

/// Hands out given bytes in order; fails the test when they run out.
pub(crate) struct Scripted(Vec<u8>);

impl Scripted {
    pub(crate) fn new(parts: &[&str]) -> Self {
        Self(parts.iter().flat_map(|part| hex::decode(part).unwrap()).collect())
    }
}

impl RngCore for Scripted {
    fn next_u32(&mut self) -> u32 {
        panic!("only bytes are drawn");
    }

    fn next_u64(&mut self) -> u64 {
        panic!("only bytes are drawn");
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        let rest = self.0.split_off(dest.len());
        dest.copy_from_slice(&self.0);
        self.0 = rest;
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Scripted {}
