//! Any bytes, cut into what a target needs.

/// Takes pieces from the front; when nothing is left, the pieces are empty.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    pub(crate) fn take(&mut self, count: usize) -> &'a [u8] {
        let (piece, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        piece
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// Bytes of a fixed number, filled up with zeros.
    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut array = [0; N];
        array.iter_mut().zip(self.take(N)).for_each(|(to, from)| *to = *from);
        array
    }

    /// As many bytes as the first one says.
    pub(crate) fn part(&mut self) -> &'a [u8] {
        let count = self.byte();
        self.take(count.into())
    }

    pub(crate) fn text(&mut self) -> String {
        String::from_utf8_lossy(self.part()).into_owned()
    }
}

/// Changes one bit, which `place` chooses.
pub(crate) fn flip(bytes: &mut [u8], place: u16) {
    let place = usize::from(place) % (8 * bytes.len().max(1));
    if let Some(byte) = bytes.get_mut(place / 8) {
        *byte ^= 1 << (place % 8);
    }
}
