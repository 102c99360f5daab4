//! Frames between the server and a worker: u32 length of the body, u64 id, both big-endian, then the body.

/// The id of frames that are no call: the load order and the reports on it.
pub(super) const CONTROL: u64 = 0;

const HEADER: usize = 12;
/// Bytes to read at once.
const AT_ONCE: usize = 16 * 1024;

/// Appends one frame.
pub(super) fn append(frames: &mut Vec<u8>, id: u64, body: &[u8]) {
    // A body is at most an order to load, far below 4 GiB; one that is not would end the worker, not confuse
    // it.
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX);
    frames.extend_from_slice(&length.to_be_bytes());
    frames.extend_from_slice(&id.to_be_bytes());
    frames.extend_from_slice(body);
}

/// Bytes that came from a worker, not yet taken as frames.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
}

impl Inbox {
    /// Where to read to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        self.bytes.reserve(AT_ONCE);
        &mut self.bytes
    }

    /// The next frame, if it has come as a whole.
    ///
    /// # Errors
    /// [`TooLong`] when its body is longer than `limit` bytes.
    pub(super) fn take(&mut self, limit: usize) -> Result<Option<(u64, Vec<u8>)>, TooLong> {
        let Some((length, rest)) = self.bytes.split_first_chunk::<4>() else { return Ok(None) };
        let Some((id, body)) = rest.split_first_chunk::<8>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > limit {
            return Err(TooLong);
        }
        let Some(body) = body.get(..length) else { return Ok(None) };
        let frame = (u64::from_be_bytes(*id), body.to_vec());
        self.bytes.drain(..HEADER + length);
        Ok(Some(frame))
    }
}

/// A frame that is longer than any answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooLong;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_were_cut() {
        let mut bytes = Vec::new();
        append(&mut bytes, 7, b"seven");
        append(&mut bytes, CONTROL, b"");
        let mut inbox = Inbox::default();
        let mut frames = Vec::new();
        for byte in bytes {
            inbox.buffer().push(byte);
            frames.extend(inbox.take(5).unwrap());
        }
        assert_eq!(frames, [(7, b"seven".to_vec()), (CONTROL, Vec::new())]);
    }

    #[test]
    fn a_body_above_the_limit_is_refused_before_it_has_come() {
        let mut inbox = Inbox::default();
        inbox.buffer().extend_from_slice(&[0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(inbox.take(6), Ok(None));
        assert_eq!(inbox.take(5), Err(TooLong));
    }
}
