//! The raw limit of the store: small writes, each on disk before its answer, so many under way at once.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures::stream::{self, StreamExt, TryStreamExt};

/// Measures writes a second of values of `bytes` bytes.
pub(crate) async fn measure(redis_url: &str, writes: usize, in_flight: usize, bytes: usize) -> Result<f64> {
    let client = redis::Client::open(redis_url)?;
    let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
    let connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let value = "x".repeat(bytes);
    let begun = Instant::now();
    stream::iter(0..writes)
        .map(|number| {
            let (mut connection, value) = (connection.clone(), value.as_str());
            async move {
                let set = redis::cmd("SET").arg(format!("bench:{}", number % 1_000)).arg(value).to_owned();
                set.query_async::<()>(&mut connection).await
            }
        })
        .buffer_unordered(in_flight)
        .try_for_each(|()| async { Ok(()) })
        .await?;
    Ok(writes as f64 / begun.elapsed().as_secs_f64())
}
