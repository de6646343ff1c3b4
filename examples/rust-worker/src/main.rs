//! A worker of its own: two functions of an order, typed by serde.
//!
//! Its settings are those of the program `worker`, from the file that `STEPWELL_CONFIG` names and from variables such as
//! `STEPWELL_AMQP__URL`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use worker::{Context, Failure, Worker};

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Order {
    order_id: String,
    total: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    receipt_id: String,
    charged: u32,
}

/// Refuses an order of nothing. A definition catches `EmptyOrder`.
async fn validate(order: Order, _: Context) -> Result<Order, Failure> {
    if order.total == 0 {
        return Err(Failure::new("EmptyOrder", format!("order {} is over nothing", order.order_id)));
    }
    Ok(order)
}

/// Charges in three steps, with a sign of life before each. When the task is no longer wanted, or its time is up, the
/// future is dropped at the next await.
async fn charge(order: Order, context: Context) -> Result<Receipt, Failure> {
    for _ in 0..3 {
        context.heartbeat();
        context.sleep(Duration::from_millis(100)).await;
        if context.remaining().is_some_and(|left| left < Duration::from_millis(50)) {
            return Err(Failure::with_cause("TooLate", "there is no time left to charge"));
        }
    }
    Ok(Receipt { receipt_id: format!("r-{}", order.order_id), charged: order.total })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let worker = Worker::of_process()?.handler("Validate", validate).handler("Charge", charge).build()?;
    worker.run_until_signal().await?;
    Ok(())
}
