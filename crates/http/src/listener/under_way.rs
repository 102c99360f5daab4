//! What is under way on a connection.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpRequest;
use futures_util::Stream;

use super::budget::Place;

/// The calls of one connection, as its stream and its doors see them.
#[derive(Debug, Clone, Default)]
pub(super) struct OpenCalls(Rc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    under_way: Cell<u32>,
    /// Since nothing was left to read.
    ended: Cell<u32>,
    /// Held by an upgraded connection until its end.
    upgraded: RefCell<Option<Place>>,
}

impl OpenCalls {
    /// True when none is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.0.under_way.get() == 0
    }

    /// True when the connection speaks another protocol by now.
    pub(super) fn is_upgraded(&self) -> bool {
        self.0.upgraded.borrow().is_some()
    }

    /// How many have ended since the last [`OpenCalls::forget_ended`].
    pub(super) fn ended(&self) -> u32 {
        self.0.ended.get()
    }

    /// Begins to count anew.
    pub(super) fn forget_ended(&self) {
        self.0.ended.set(0);
    }
}

/// A call under way; while there is one, its connection is not given up for silence.
#[derive(Debug)]
pub struct UnderWay(OpenCalls);

impl UnderWay {
    /// Begins a call; none outside a connection.
    #[must_use]
    pub fn begin(request: &HttpRequest) -> Option<Self> {
        request.conn_data::<OpenCalls>().map(Self::of)
    }

    pub(super) fn of(calls: &OpenCalls) -> Self {
        calls.0.under_way.set(calls.0.under_way.get() + 1);
        Self(calls.clone())
    }

    /// Keeps the call under way for as long as its answer comes: the mode *stream*.
    pub fn during<S: Stream + Unpin>(self, place: Place, answer: S) -> impl Stream<Item = S::Item> {
        During { answer, _under_way: self, _place: place }
    }

    /// From now on the connection speaks another protocol: the mode *upgraded*. How long it may be idle, and what it may
    /// send, is for its door to judge.
    pub fn upgrade(&self, place: Place) {
        self.0.0.upgraded.replace(Some(place));
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Counts { under_way, ended, .. } = &*self.0.0;
        under_way.set(under_way.get().saturating_sub(1));
        ended.set(ended.get().saturating_add(1));
    }
}

/// An answer with the call that it belongs to.
struct During<S> {
    answer: S,
    _under_way: UnderWay,
    _place: Place,
}

impl<S: Stream + Unpin> Stream for During<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.answer).poll_next(context)
    }
}
