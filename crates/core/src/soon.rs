//! A future that is mostly there already.

use std::pin::Pin;
use std::task::{Context, Poll};

use crate::BoxFuture;

/// What a store or a catalogue gives: at once where it is in memory, which costs no allocation, or later.
pub enum Soon<'a, T> {
    /// It is there; none once it has been taken.
    Now(Option<T>),
    /// It is waited for.
    Later(BoxFuture<'a, T>),
}

impl<'a, T> Soon<'a, T> {
    /// What is there already.
    #[must_use]
    pub const fn now(value: T) -> Self {
        Self::Now(Some(value))
    }

    /// What must be waited for.
    pub fn later(future: impl Future<Output = T> + Send + 'a) -> Self {
        Self::Later(Box::pin(future))
    }
}

impl<T: Unpin> Future for Soon<'_, T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        match self.get_mut() {
            // Asked again after its end, as no await does, it stays silent instead of panicking.
            Self::Now(value) => value.take().map_or(Poll::Pending, Poll::Ready),
            Self::Later(future) => future.as_mut().poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_there_and_what_is_waited_for_come_alike() {
        assert_eq!(Soon::now(5).await, 5);
        let later = Soon::later(async {
            tokio::task::yield_now().await;
            6
        });
        assert_eq!(later.await, 6);
    }
}
