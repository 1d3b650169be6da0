//! What a stream may not fall below. A total time would cut off whoever loads a large file over a slow line; no limit
//! at all would let anybody hold a connection for ever by sending, or taking, a byte now and then.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

/// So many bytes at least in so much time of waiting for the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PaceLimit {
    /// The least that moves.
    pub(crate) bytes: u64,
    /// In how much waiting. What the portal itself takes, for a disk or a query, does not count.
    pub(crate) time: Duration,
}

/// Measures one stream.
#[derive(Debug)]
pub(super) struct Pace {
    limit: PaceLimit,
    /// Bytes since the limit was last kept.
    moved: u64,
    /// Waiting since then, without the one that is under way.
    waited: Duration,
    since: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    pub(super) const fn new(limit: PaceLimit) -> Self {
        Self {
            limit,
            moved: 0,
            waited: Duration::ZERO,
            since: None,
            timer: None,
        }
    }

    /// Bytes have moved.
    pub(super) fn moved(&mut self, bytes: usize) {
        self.moved_at(bytes, Instant::now());
    }

    /// Nothing can move now. Ready once that has been so for too long; the task is woken then.
    pub(super) fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.since.is_none() {
            let end = self.waits_at(Instant::now());
            match &mut self.timer {
                Some(timer) => timer.as_mut().reset(end),
                None => self.timer = Some(Box::pin(tokio::time::sleep_until(end))),
            }
        }
        match &mut self.timer {
            Some(timer) => timer.as_mut().poll(cx),
            None => Poll::Pending,
        }
    }

    fn moved_at(&mut self, bytes: usize, now: Instant) {
        if let Some(since) = self.since.take() {
            self.waited += now.saturating_duration_since(since);
        }
        self.moved = self.moved.saturating_add(bytes as u64);
        if self.moved >= self.limit.bytes {
            self.moved = 0;
            self.waited = Duration::ZERO;
        }
    }

    /// Waiting begins; returns when it has lasted too long.
    fn waits_at(&mut self, now: Instant) -> Instant {
        self.since = Some(now);
        now + self.limit.time.saturating_sub(self.waited)
    }
}

/// A connection whose other side has to take what it asked for.
#[derive(Debug)]
pub(super) struct Paced {
    stream: TcpStream,
    pace: Pace,
}

impl Paced {
    pub(super) const fn new(stream: TcpStream, limit: PaceLimit) -> Self {
        Self {
            stream,
            pace: Pace::new(limit),
        }
    }

    fn written(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.pace.moved(bytes);
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(error) => Poll::Ready(error),
            Poll::Pending => {
                ready!(self.pace.poll_too_slow(cx));
                Poll::Ready(Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "the client takes its answer too slowly",
                )))
            }
        }
    }
}

/// Waiting for a request is limited by its head's time, and for its body where that is read: see
/// [`Arriving`](super::arriving::Arriving).
impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, buffers);
        self.written(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: PaceLimit = PaceLimit {
        bytes: 100,
        time: Duration::from_secs(10),
    };

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn waiting_adds_up_until_enough_has_moved() {
        let mut pace = Pace::new(LIMIT);
        let mut now = Instant::now();
        for left in [10, 7, 4] {
            assert_eq!(pace.waits_at(now), now + seconds(left));
            now += seconds(3);
            pace.moved_at(1, now);
            // What the portal itself takes does not count.
            now += seconds(1_000);
        }
        assert_eq!(pace.waits_at(now), now + seconds(1), "3 bytes in 9 s");
        pace.moved_at(97, now + seconds(1));
        assert_eq!(pace.waits_at(now), now + seconds(10), "100 bytes in 10 s");
    }

    #[test]
    fn who_keeps_the_pace_may_go_on_for_ever() {
        let mut pace = Pace::new(LIMIT);
        let mut now = Instant::now();
        for _ in 0..100 {
            assert_eq!(pace.waits_at(now), now + seconds(10));
            now += seconds(9);
            pace.moved_at(100, now);
        }
    }
}
