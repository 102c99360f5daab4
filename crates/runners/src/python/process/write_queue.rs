//! Bytes to be written to a Python process: what is left stays where it lies, however little is written at a time.

use std::collections::VecDeque;
use std::sync::Arc;

use super::frame::header;

/// What is copied together for one write, in bytes; anything longer is a part of its own. Less than a socket holds.
const PART: usize = 64 * 1024;

/// Frames in the order in which they are written.
#[derive(Debug, Default)]
pub(in crate::python) struct WriteQueue {
    parts: VecDeque<Arc<Vec<u8>>>,
    /// How much of the first part is written.
    written: usize,
    /// How much of all parts is not.
    left: usize,
}

impl WriteQueue {
    /// Appends one frame, whose body is the head and what follows it.
    pub(in crate::python) fn append(&mut self, id: u64, head: &[u8], rest: &Arc<Vec<u8>>) {
        self.copy(&header(id, head.len().saturating_add(rest.len())));
        self.copy(head);
        if rest.len() > PART {
            self.left += rest.len();
            self.parts.push_back(rest.clone());
        } else {
            self.copy(rest);
        }
    }

    fn copy(&mut self, bytes: &[u8]) {
        self.left += bytes.len();
        let last = self.parts.back_mut().and_then(Arc::get_mut);
        match last.filter(|last| last.len() + bytes.len() <= PART) {
            Some(last) => last.extend_from_slice(bytes),
            None => self.parts.push_back(Arc::new(bytes.to_vec())),
        }
    }

    /// True when nothing is left to write.
    pub(in crate::python) const fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// True when there is as much as one write takes: more had better wait where it can still be taken back.
    pub(in crate::python) const fn is_full(&self) -> bool {
        self.left >= PART
    }

    /// What is to be written next; empty only when nothing is left.
    pub(in crate::python) fn next(&self) -> &[u8] {
        self.parts.front().and_then(|part| part.get(self.written..)).unwrap_or_default()
    }

    /// True when what is written next is more than a socket holds, so that only a reader makes room for it.
    pub(in crate::python) fn needs_reader(&self) -> bool {
        self.next().len() > 16 * PART
    }

    /// Takes this many bytes of [`Self::next`] off the queue.
    pub(in crate::python) fn wrote(&mut self, count: usize) {
        self.written += count;
        self.left = self.left.saturating_sub(count);
        if !self.next().is_empty() {
            return;
        }
        self.written = 0;
        match self.parts.front_mut().and_then(Arc::get_mut) {
            // Kept for the frames to come.
            Some(only) if self.left == 0 && only.capacity() <= 2 * PART => only.clear(),
            _ => drop(self.parts.pop_front()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{CONTROL, ReadBuffer};
    use super::*;

    #[test]
    fn frames_are_written_as_they_were_appended_however_little_is_taken_at_a_time() {
        let long: Vec<u8> = (0..3 * PART).map(|number| number.to_le_bytes()[0]).collect();
        let (long, short, none) = (Arc::new(long), Arc::new(b"body".to_vec()), Arc::default());
        for step in [1, 7, PART, usize::MAX] {
            let (mut queue, mut input, mut frames) =
                (WriteQueue::default(), ReadBuffer::default(), Vec::new());
            for round in 0..2 {
                queue.append(7, b"head ", &short);
                queue.append(8, b"head ", &long);
                queue.append(CONTROL, b"{}", &none);
                queue.append(9, b"", &long);
                assert!(queue.is_full() && !queue.is_empty());
                while !queue.is_empty() {
                    let bytes = queue.next();
                    let count = bytes.len().min(step);
                    input.buffer().extend_from_slice(&bytes[..count]);
                    queue.wrote(count);
                }
                while let Some(frame) = input.take(4 * PART).unwrap() {
                    frames.push(frame);
                }
                assert_eq!(frames.len(), 4 * (round + 1), "{step}");
                assert!(queue.next().is_empty());
            }
            let with_head = [b"head ", long.as_slice()].concat();
            assert_eq!(frames[4..6], [(7, b"head body".to_vec()), (8, with_head)], "{step}");
            assert_eq!(frames[6..], [(CONTROL, b"{}".to_vec()), (9, long.to_vec())], "{step}");
        }
    }

    #[test]
    fn nothing_that_is_left_to_write_is_moved_or_copied() {
        let mut queue = WriteQueue::default();
        let body = Arc::new(vec![1; 100 * PART]);
        queue.append(1, b"head", &body);
        queue.wrote(queue.next().len());
        for written in (0..body.len()).step_by(1000) {
            assert!(std::ptr::eq(queue.next().as_ptr(), &raw const body[written]));
            assert!(queue.needs_reader() || body.len() - written <= 16 * PART);
            queue.wrote(1000.min(body.len() - written));
        }
        assert!(queue.is_empty());
        assert_eq!(Arc::strong_count(&body), 1, "it is let go as soon as it is written");
    }
}
