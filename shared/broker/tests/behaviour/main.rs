//! One behaviour, two brokers: every case runs on the memory twin and on a real RabbitMQ.

mod cases;
mod elements;
mod rabbit_only;
mod twin;

use twin::Twin;

/// Runs each case on both twins. Cases of a group `shared` share one server under prefixes of their own; those of `own` stop or
/// configure the server and get one each.
macro_rules! cases {
    (shared: $($shared:ident,)* ; own: $($own:ident,)*) => {
        mod memory {
            use super::{Twin, cases};

            $(#[tokio::test]
            async fn $shared() -> anyhow::Result<()> {
                cases::$shared(Twin::memory()).await
            })*

            $(#[tokio::test]
            async fn $own() -> anyhow::Result<()> {
                cases::$own(Twin::memory()).await
            })*
        }

        mod rabbit {
            use super::{Twin, cases};

            $(#[tokio::test]
            async fn $shared() -> anyhow::Result<()> {
                cases::$shared(Twin::on_shared_rabbit().await?).await
            })*

            $(#[tokio::test]
            async fn $own() -> anyhow::Result<()> {
                cases::$own(Twin::on_own_rabbit().await?).await
            })*
        }
    };
}

cases! {
    shared:
        a_work_item_travels_and_is_gone_once_acknowledged,
        messages_keep_their_order,
        a_dropped_consumer_gives_back_what_it_did_not_acknowledge,
        an_acknowledgement_before_the_drop_counts,
        a_stopped_consumer_keeps_what_it_took_and_no_more,
        a_process_that_ends_gives_back_what_it_held,
        no_more_than_the_prefetch_is_out,
        two_consumers_share_a_queue,
        reports_go_to_the_queue_that_the_item_named,
        reports_to_one_process_come_to_no_other,
        a_message_that_no_queue_takes_fails_and_no_other,
        a_message_that_is_too_large_fails_and_no_other,
        a_batch_is_one_message,
        a_cancel_reaches_every_process,
        a_dead_letter_is_kept_as_it_came,
        status_changes_go_to_whoever_has_bound_a_queue_for_them,
        what_cannot_be_read_is_handed_over_with_its_reason,
        one_bad_element_costs_no_other,
        an_unknown_pool_is_empty,
        many_publishes_are_in_flight_at_once,
        a_message_may_be_redelivered_without_limit,
        a_marker_tells_whether_the_data_is_kept,
    ;
    own:
        an_outage_ends_without_a_restart,
        reports_to_one_process_outlive_an_outage,
        an_alarm_blocks_publishes_only,
}
