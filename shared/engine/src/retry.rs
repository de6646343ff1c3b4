//! Retry: whether and when a failed state is tried again.

use std::sync::Arc;

use asl::{JitterStrategy, Retrier, State};
use model::error_name;

use crate::branch::{Branch, Phase};
use crate::chance;
use crate::dataflow::{Field, salt};
use crate::failure::Failure;
use crate::turn::Turn;

/// The longest pause between two tries that AWS accepts is 31,622,400 s; a back-off that grows beyond stays there.
const DELAY_SECONDS_MAX: f64 = 31_622_400.0;

/// Puts the branch into the back-off before the next try, if a Retrier takes the failure.
pub(crate) fn back_off(turn: &mut Turn<'_>, branch: &mut Branch, state: &State, failure: &Failure) -> bool {
    let Some(index) = state.retry().iter().position(|retrier| matches(&retrier.error_equals, failure)) else {
        return false;
    };
    let retrier = &state.retry()[index];
    turn.note(|inspection| inspection.retry_index = Some(index));
    branch.retries.resize(state.retry().len(), 0);
    if u64::from(branch.retries[index]) >= retrier.max_attempts {
        return false;
    }
    let delay = delay_millis(turn, branch, retrier, branch.retries[index]);
    turn.note(|inspection| inspection.retry_backoff_seconds = u64::try_from(delay / 1_000).ok());
    branch.retries[index] += 1;
    branch.retry_count += 1;
    branch.phase = Phase::Backoff { until: turn.moment.at.plus_millis(delay) };
    true
}

/// Tells whether one of the names of a Retrier or Catcher stands for the failure.
pub(crate) fn matches(error_equals: &[Arc<str>], failure: &Failure) -> bool {
    if failure.terminal {
        return false;
    }
    let error = failure.error.as_deref().unwrap_or_default();
    error_equals.iter().any(|name| match &**name {
        error_name::ALL => true,
        error_name::TASK_FAILED => error != error_name::TIMEOUT,
        error_name::HEARTBEAT_TIMEOUT => failure.heartbeat || error == error_name::HEARTBEAT_TIMEOUT,
        name => name == error,
    })
}

fn delay_millis(turn: &Turn<'_>, branch: &Branch, retrier: &Retrier, retried: u32) -> i64 {
    let exponent = i32::try_from(retried).unwrap_or(i32::MAX);
    let longest = retrier.max_delay_seconds.map_or(DELAY_SECONDS_MAX, |seconds| seconds as f64);
    let seconds = (retrier.interval_seconds as f64 * retrier.backoff_rate.powi(exponent)).min(longest);
    let share = match retrier.jitter_strategy {
        JitterStrategy::None => 1.0,
        JitterStrategy::Full => {
            let chance =
                chance::sequence(turn.execution.seed, &branch.path, [branch.entry, salt(branch, Field::Backoff)]);
            (chance.draw() >> 11) as f64 / (1_u64 << 53) as f64
        }
    };
    (seconds * share * 1_000.0).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], error: &str, expect: bool) {
        let names: Vec<Arc<str>> = names.iter().map(|name| Arc::from(*name)).collect();
        let failure = Failure::new(Some(error.to_owned()), None);
        assert_eq!(matches(&names, &failure), expect, "{names:?} {error}");
    }

    #[test]
    fn names_stand_for_failures_as_in_aws() {
        check(&["Boom"], "Boom", true);
        check(&["Bang"], "Boom", false);
        check(&["Bang", "States.ALL"], "Boom", true);
        check(&["States.TaskFailed"], "Boom", true);
        check(&["States.TaskFailed"], "States.Timeout", false);
        check(&["States.Timeout"], "States.Timeout", true);
        check(&["States.ALL"], "States.Timeout", true);
        check(&["States.ALL"], "States.DataLimitExceeded", true);
        check(&["States.ALL", "States.Runtime"], "States.Runtime", false);
    }

    #[test]
    fn a_missed_heartbeat_goes_by_two_names() {
        let failure = Failure::timeout(true);
        for name in ["States.Timeout", "States.HeartbeatTimeout", "States.ALL"] {
            assert!(matches(&[Arc::from(name)], &failure), "{name}");
        }
        assert!(!matches(&[Arc::from("States.HeartbeatTimeout")], &Failure::timeout(false)));
    }
}
