//! Frames between the server and a Python process: u32 length of the body, u64 id, both big-endian, then the body.

/// The id of frames that belong to no call: the command to load and the reports on it, and a host's commands.
pub(in crate::python) const CONTROL: u64 = 0;

const HEADER: usize = 12;
/// Bytes to read at once.
const READ_SIZE: usize = 16 * 1024;
/// Memory that is kept for what comes next, in bytes.
const LARGEST_KEPT: usize = 1024 * 1024;

/// What stands before a body of this length.
pub(in crate::python) fn header(id: u64, length: usize) -> [u8; HEADER] {
    // A body is at most a request, far below 4 GiB; one that is not would end the process, not confuse it.
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    (u128::from(length) << 64 | u128::from(id)).to_be_bytes().last_chunk().copied().unwrap_or_default()
}

/// Appends one frame.
pub(in crate::python) fn append(frames: &mut Vec<u8>, id: u64, body: &[u8]) {
    frames.extend_from_slice(&header(id, body.len()));
    frames.extend_from_slice(body);
}

/// Bytes that have come from a process and are not yet taken as frames.
#[derive(Debug, Default)]
pub(in crate::python) struct ReadBuffer {
    bytes: Vec<u8>,
    /// How many of them are taken already.
    consumed: usize,
}

impl ReadBuffer {
    /// Where to read to.
    pub(in crate::python) fn buffer(&mut self) -> &mut Vec<u8> {
        // What is left is moved only when at least as much was taken, so that no byte is moved often.
        if self.consumed > 0 && self.consumed >= self.bytes.len() / 2 {
            self.bytes.drain(..self.consumed);
            self.consumed = 0;
        }
        if self.bytes.is_empty() && self.bytes.capacity() > LARGEST_KEPT {
            self.bytes = Vec::new();
        }
        self.bytes.reserve(READ_SIZE);
        &mut self.bytes
    }

    /// The next frame, if it has come as a whole.
    ///
    /// # Errors
    /// [`TooLong`] when its body is longer than `limit` bytes.
    pub(in crate::python) fn take(&mut self, limit: usize) -> Result<Option<(u64, Vec<u8>)>, TooLong> {
        let waiting = self.bytes.get(self.consumed..).unwrap_or_default();
        let Some((length, rest)) = waiting.split_first_chunk::<4>() else { return Ok(None) };
        let Some((id, body)) = rest.split_first_chunk::<8>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > limit {
            return Err(TooLong);
        }
        let Some(body) = body.get(..length) else { return Ok(None) };
        let frame = (u64::from_be_bytes(*id), body.to_vec());
        self.consumed += HEADER + length;
        Ok(Some(frame))
    }
}

/// A frame that is longer than any answer may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::python) struct TooLong;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in_however_they_were_cut() {
        let mut bytes = Vec::new();
        append(&mut bytes, 7, b"seven");
        append(&mut bytes, CONTROL, b"");
        let mut input = ReadBuffer::default();
        let mut frames = Vec::new();
        for byte in bytes {
            input.buffer().push(byte);
            frames.extend(input.take(5).unwrap());
        }
        assert_eq!(frames, [(7, b"seven".to_vec()), (CONTROL, Vec::new())]);
    }

    #[test]
    fn many_frames_that_came_at_once_are_taken_without_moving_the_others() {
        let mut input = ReadBuffer::default();
        for number in 1..=50_000 {
            append(input.buffer(), number, b"x");
        }
        let lie = input.bytes.as_ptr();
        for number in 1..=50_000 {
            assert_eq!(input.take(1), Ok(Some((number, b"x".to_vec()))));
            assert!(std::ptr::eq(input.bytes.as_ptr(), lie) && input.bytes.len() == 50_000 * (HEADER + 1));
        }
        assert_eq!(input.take(1), Ok(None));
        assert!(input.buffer().is_empty());
        input.buffer().extend(vec![0; 2 * LARGEST_KEPT]);
        input.consumed = input.bytes.len();
        assert!(input.buffer().capacity() < LARGEST_KEPT, "the memory of a large answer is given back");
    }

    #[test]
    fn a_body_above_the_limit_is_refused_before_it_has_come() {
        let mut input = ReadBuffer::default();
        input.buffer().extend_from_slice(&[0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(input.take(6), Ok(None));
        assert_eq!(input.take(5), Err(TooLong));
    }
}
