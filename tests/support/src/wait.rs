//! Waiting for a condition instead of sleeping.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use tokio::time;

const STEP: Duration = Duration::from_millis(10);

/// Polls the condition every 10 ms until it holds. Uses tokio's clock, so a paused clock moves on.
///
/// # Errors
/// If it doesn't hold within the time; the message says `what` was waited for.
pub async fn eventually<F, C>(timeout: Duration, mut condition: F, what: &str) -> Result<()>
where
    F: FnMut() -> C,
    C: Future<Output = bool>,
{
    let poll = async {
        while !condition().await {
            time::sleep(STEP).await;
        }
    };
    time::timeout(timeout, poll).await.map_err(|_| anyhow!("waited {timeout:?} in vain until {what}"))
}

/// Polls the question every 10 ms until it has an answer, and gives that answer. Uses tokio's clock.
///
/// # Errors
/// If there is none within the time; the message says `what` was waited for.
pub async fn eventually_some<T, F, C>(timeout: Duration, mut question: F, what: &str) -> Result<T>
where
    F: FnMut() -> C,
    C: Future<Output = Option<T>>,
{
    let poll = async {
        loop {
            match question().await {
                Some(answer) => return answer,
                None => time::sleep(STEP).await,
            }
        }
    };
    time::timeout(timeout, poll).await.map_err(|_| anyhow!("waited {timeout:?} in vain until {what}"))
}

/// The same on a thread that may block, in real time.
pub(crate) fn poll_blocking<T>(timeout: Duration, mut question: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    loop {
        match question() {
            Some(answer) => return Some(answer),
            None if start.elapsed() >= timeout => return None,
            None => thread::sleep(STEP),
        }
    }
}
