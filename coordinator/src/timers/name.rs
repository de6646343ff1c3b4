//! A timer's name in the store says what it is for: `timeout.3`, `wait.2`, `backoff.4.1`, `execution`.

use engine::Timer;

/// Gives a timer's name.
pub(crate) fn timer_name(timer: Timer) -> String {
    match timer {
        Timer::Wait { entry } => format!("wait.{entry}"),
        Timer::Backoff { entry, retry } => format!("backoff.{entry}.{retry}"),
        Timer::Timeout { attempt } => format!("timeout.{attempt}"),
        Timer::Heartbeat { attempt } => format!("heartbeat.{attempt}"),
        Timer::Redispatch { attempt } => format!("redispatch.{attempt}"),
        Timer::Execution => "execution".to_owned(),
    }
}

/// Reads a timer's name; nothing if no version of this program writes such a name.
pub(crate) fn timer_from_name(name: &str) -> Option<Timer> {
    let mut parts = name.split('.');
    let kind = parts.next()?;
    let numbers: Vec<u32> = parts.map(str::parse).collect::<Result<_, _>>().ok()?;
    match (kind, numbers.as_slice()) {
        ("wait", &[entry]) => Some(Timer::Wait { entry }),
        ("backoff", &[entry, retry]) => Some(Timer::Backoff { entry, retry }),
        ("timeout", &[attempt]) => Some(Timer::Timeout { attempt }),
        ("heartbeat", &[attempt]) => Some(Timer::Heartbeat { attempt }),
        ("redispatch", &[attempt]) => Some(Timer::Redispatch { attempt }),
        ("execution", &[]) => Some(Timer::Execution),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let timers = [
            Timer::Wait { entry: 2 },
            Timer::Backoff { entry: 4, retry: 1 },
            Timer::Timeout { attempt: 3 },
            Timer::Heartbeat { attempt: 3 },
            Timer::Redispatch { attempt: 3 },
            Timer::Execution,
        ];
        for timer in timers {
            assert_eq!(timer_from_name(&timer_name(timer)), Some(timer));
        }
        for wrong in ["", "wait", "wait.x", "wait.1.2", "execution.1", "other.1"] {
            assert_eq!(timer_from_name(wrong), None, "{wrong}");
        }
    }
}
