//! A request's body on its way to a handler.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{HeaderMap, header};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};

use super::pace::{Pace, PaceLimit};

/// How much is still read of a body that no handler wants any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DrainLimit {
    /// The most bytes.
    pub(crate) bytes: u64,
    /// The longest time.
    pub(crate) time: Duration,
}

/// A body that has to arrive at a certain pace, and that is read on, within limits, when its handler has dropped it:
/// most clients send all they have before they look at the answer, and one that is cut off while it sends never
/// sees why it was refused (RFC 9112 section 9.6).
pub(super) struct Arriving {
    body: Option<Incoming>,
    pace: Pace,
    drain: DrainLimit,
    /// The client waits to be told to go on. If nobody has, it sends nothing, and must not be told to.
    waits: bool,
}

impl Arriving {
    pub(super) fn new(body: Incoming, headers: &HeaderMap, pace: PaceLimit, drain: DrainLimit) -> Self {
        Self {
            waits: headers.contains_key(header::EXPECT),
            body: Some(body),
            pace: Pace::new(pace),
            drain,
        }
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        this.waits = false;
        match Pin::new(body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                this.pace.moved(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                this.body = None;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                this.body = None;
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(this.pace.poll_too_slow(cx));
                // Nothing is read on: this is what the limit is against.
                this.body = None;
                let error = io::Error::new(io::ErrorKind::TimedOut, "the body arrives too slowly");
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !self.waits
            && !body.is_end_stream()
        {
            tokio::spawn(drain(body, self.drain));
        }
    }
}

/// Reads a body to its end or to the limit. Dropped before its end, it ends the connection.
async fn drain(mut body: Incoming, limit: DrainLimit) {
    let read = async {
        let mut left = limit.bytes;
        while let Some(Ok(frame)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let Some(rest) = left.checked_sub(frame.data_ref().map_or(0, |data| data.len() as u64)) else {
                break;
            };
            left = rest;
        }
    };
    // Over the limit or not: the answer was sent, and what becomes of it is the client's affair.
    let _ = tokio::time::timeout(limit.time, read).await;
}
