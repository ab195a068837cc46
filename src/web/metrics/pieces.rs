//! A body of pieces that others hold, too: sent as they are, not copied together first.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};

/// They are one body, of known length.
pub(super) struct Pieces(vec::IntoIter<Bytes>);

impl Pieces {
    pub(super) fn of(pieces: Vec<Bytes>) -> Self {
        Self(pieces.into_iter())
    }
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().0.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_slice().is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.0.as_slice().iter().map(Bytes::len).sum::<usize>();
        SizeHint::with_exact(left as u64)
    }
}
