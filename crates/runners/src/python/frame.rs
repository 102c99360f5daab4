//! Frames between the server and a worker: u32 length of the body, u64 id, both big-endian, then the body.

/// The id of frames that are no call: the load order and the reports on it.
pub(super) const CONTROL: u64 = 0;

const HEADER: usize = 12;
/// Bytes to read at once.
const AT_ONCE: usize = 16 * 1024;
/// Memory that is kept for what comes next, in bytes.
const LARGEST_KEPT: usize = 1024 * 1024;

/// What stands before a body of this length.
pub(super) fn header(id: u64, length: usize) -> [u8; HEADER] {
    // A body is at most a request, far below 4 GiB; one that is not would end the worker, not confuse it.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    (u128::from(length) << 64 | u128::from(id)).to_be_bytes().last_chunk().copied().unwrap_or_default()
}

/// Appends one frame.
pub(super) fn append(frames: &mut Vec<u8>, id: u64, body: &[u8]) {
    frames.extend_from_slice(&header(id, body.len()));
    frames.extend_from_slice(body);
}

/// Bytes that came from a worker, not yet taken as frames.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    /// How many of them are taken already.
    taken: usize,
}

impl Inbox {
    /// Where to read to.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        // What is left is moved only when at least as much was taken, so that no byte is moved often.
        if self.taken > 0 && self.taken >= self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        if self.bytes.is_empty() && self.bytes.capacity() > LARGEST_KEPT {
            self.bytes = Vec::new();
        }
        self.bytes.reserve(AT_ONCE);
        &mut self.bytes
    }

    /// The next frame, if it has come as a whole.
    ///
    /// # Errors
    /// [`TooLong`] when its body is longer than `limit` bytes.
    pub(super) fn take(&mut self, limit: usize) -> Result<Option<(u64, Vec<u8>)>, TooLong> {
        let waiting = self.bytes.get(self.taken..).unwrap_or_default();
        let Some((length, rest)) = waiting.split_first_chunk::<4>() else { return Ok(None) };
        let Some((id, body)) = rest.split_first_chunk::<8>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > limit {
            return Err(TooLong);
        }
        let Some(body) = body.get(..length) else { return Ok(None) };
        let frame = (u64::from_be_bytes(*id), body.to_vec());
        self.taken += HEADER + length;
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
    fn many_frames_that_came_at_once_are_taken_without_moving_the_others() {
        let mut inbox = Inbox::default();
        for number in 1..=50_000 {
            append(inbox.buffer(), number, b"x");
        }
        let lie = inbox.bytes.as_ptr();
        for number in 1..=50_000 {
            assert_eq!(inbox.take(1), Ok(Some((number, b"x".to_vec()))));
            assert!(std::ptr::eq(inbox.bytes.as_ptr(), lie) && inbox.bytes.len() == 50_000 * (HEADER + 1));
        }
        assert_eq!(inbox.take(1), Ok(None));
        assert!(inbox.buffer().is_empty());
        inbox.buffer().extend(vec![0; 2 * LARGEST_KEPT]);
        inbox.taken = inbox.bytes.len();
        assert!(inbox.buffer().capacity() < LARGEST_KEPT, "the memory of a large answer is given back");
    }

    #[test]
    fn a_body_above_the_limit_is_refused_before_it_has_come() {
        let mut inbox = Inbox::default();
        inbox.buffer().extend_from_slice(&[0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(inbox.take(6), Ok(None));
        assert_eq!(inbox.take(5), Err(TooLong));
    }
}
