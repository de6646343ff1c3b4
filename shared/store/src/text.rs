//! Timers and effects as the store names them. The ARN stands last, so that nothing in it can be taken for a separator.

use model::{ActivityArn, ExecutionArn, ExecutionStatus, Timestamp};
use wire::record::DefinitionHash;

use crate::{ActivityTask, Error, OutboxEntry, OutboxKey, OwnerId, PendingEffect, TimerKey};

/// Renders a timer: `branch;name;ARN`.
pub(crate) fn timer(key: &TimerKey) -> String {
    timer_of(key.branch.as_str(), &key.name, key.execution.as_str())
}

/// Renders a timer from its parts.
pub(crate) fn timer_of(branch: &str, name: &str, arn: &str) -> String {
    format!("{branch};{name};{arn}")
}

/// Reads a timer.
pub(crate) fn parse_timer(text: &str) -> Result<TimerKey, Error> {
    let mut parts = text.splitn(3, ';');
    let (Some(branch), Some(name), Some(arn)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::Corrupt(format!("timer {text:?}")));
    };
    Ok(TimerKey { execution: execution(arn)?, branch: id(branch)?, name: name.to_owned() })
}

/// Renders an effect: `d;branch;attempt;ARN`, `c;branch;;ARN`, `w;scope;;ARN`, `t;spans;;ARN`, `n;STATUS;;ARN`, `b;;;ARN`,
/// `e;;;ARN`, `s;nested;attempt;ARN`.
pub(crate) fn effect(arn: &ExecutionArn, effect: &PendingEffect) -> String {
    match effect {
        PendingEffect::Dispatch(branch, attempt) => format!("d;{branch};{attempt};{arn}"),
        PendingEffect::Continue(branch) => format!("c;{branch};;{arn}"),
        PendingEffect::Wake(scope) => format!("w;{scope};;{arn}"),
        PendingEffect::Export(spans) => format!("t;{spans};;{arn}"),
        PendingEffect::Notify(status) => format!("n;{};;{arn}", status.as_str()),
        PendingEffect::Started => format!("b;;;{arn}"),
        PendingEffect::Ended => format!("e;;;{arn}"),
        PendingEffect::Stop(nested, attempt) => format!("s;{};{attempt};{arn}", escaped(nested.as_str())),
    }
}

/// Reads an entry of the outbox from the effect and from `time;committer`.
pub(crate) fn parse_entry(effect: &str, value: &str) -> Result<OutboxEntry, Error> {
    let corrupt = || Error::Corrupt(format!("outbox entry {effect:?} {value:?}"));
    let mut parts = effect.splitn(4, ';');
    let mut part = || parts.next().ok_or_else(corrupt);
    let (kind, place, attempt, arn) = (part()?, part()?, part()?, part()?);
    let effect = match kind {
        "d" => PendingEffect::Dispatch(id(place)?, id(attempt)?),
        "c" => PendingEffect::Continue(id(place)?),
        "w" => PendingEffect::Wake(id(place)?),
        "t" => PendingEffect::Export(place.into()),
        "n" => PendingEffect::Notify(ExecutionStatus::from_name(place).ok_or_else(corrupt)?),
        "b" => PendingEffect::Started,
        "e" => PendingEffect::Ended,
        "s" => PendingEffect::Stop(execution(&unescaped(place))?, id(attempt)?),
        _ => return Err(corrupt()),
    };
    let (at, committer) = value.split_once(';').ok_or_else(corrupt)?;
    Ok(OutboxEntry {
        key: OutboxKey { execution: execution(arn)?, effect },
        committer: OwnerId(committer.into()),
        at: Timestamp::from_millis(at.parse().map_err(|_| corrupt())?),
    })
}

/// Takes the separator out of an ARN that does not stand last.
fn escaped(arn: &str) -> String {
    arn.replace('%', "%25").replace(';', "%3B")
}

fn unescaped(text: &str) -> String {
    text.replace("%3B", ";").replace("%25", "%")
}

/// Renders the value of an entry of the outbox.
pub(crate) fn entry_value(committer: &OwnerId, at: Timestamp) -> String {
    format!("{at};{committer}")
}

/// Renders a task of an activity: `branch;attempt;ARN`, the ARN being the execution's.
pub(crate) fn activity_task(task: &ActivityTask) -> String {
    format!("{};{};{}", task.branch, task.attempt, task.execution)
}

/// Reads a task of an activity.
pub(crate) fn parse_activity_task(activity: &ActivityArn, text: &str) -> Result<ActivityTask, Error> {
    let mut parts = text.splitn(3, ';');
    let (Some(branch), Some(attempt), Some(arn)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(Error::Corrupt(format!("task {text:?} of {activity}")));
    };
    let (branch, attempt) = (id(branch)?, id(attempt)?);
    Ok(ActivityTask { activity: activity.clone(), execution: execution(arn)?, branch, attempt })
}

pub(crate) fn execution(arn: &str) -> Result<ExecutionArn, Error> {
    ExecutionArn::parse_any(arn).map_err(|error| Error::Corrupt(error.to_string()))
}

pub(crate) fn id<T: std::str::FromStr<Err = model::IdError>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error: model::IdError| Error::Corrupt(error.to_string()))
}

/// Renders hashes of definitions, with blanks between them.
pub(crate) fn definitions(hashes: &[DefinitionHash]) -> String {
    let hashes: Vec<&str> = hashes.iter().map(|hash| &*hash.0).collect();
    hashes.join(" ")
}

/// Reads what [`definitions`] wrote.
pub(crate) fn parse_definitions(text: &str) -> Vec<DefinitionHash> {
    text.split_ascii_whitespace().map(|hash| DefinitionHash(hash.into())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_whatever_is_in_the_arn() {
        let arn = execution("arn:aws:states:r:1:execution:m;x:o;1|2,é").expect("is an ARN");
        let timer_key =
            TimerKey { execution: arn.clone(), branch: id("r/4.2").expect("is a path"), name: "timeout.3".to_owned() };
        assert_eq!(parse_timer(&timer(&timer_key)).expect("reads"), timer_key);
        let effects = [
            PendingEffect::Dispatch(id("r/4.2").expect("is a path"), id("3-00000000000000ff").expect("is an attempt")),
            PendingEffect::Continue(id("r").expect("is a path")),
            PendingEffect::Wake(id("r/4.2@1").expect("is a scope")),
            PendingEffect::Export("{\"v\":1,\"spans\":[]}".into()),
            PendingEffect::Notify(ExecutionStatus::TimedOut),
            PendingEffect::Started,
            PendingEffect::Ended,
            PendingEffect::Stop(
                execution("arn:aws:states:r:1:execution:m;%3B:o%25;").expect("is an ARN"),
                id("3-00000000000000ff").expect("is an attempt"),
            ),
        ];
        for pending in effects {
            let committer = OwnerId("host;1".into());
            let at = Timestamp::from_millis(5);
            let read = parse_entry(&effect(&arn, &pending), &entry_value(&committer, at)).expect("reads");
            assert_eq!(read, OutboxEntry { key: OutboxKey { execution: arn.clone(), effect: pending }, committer, at });
        }
        assert!(parse_timer("r").is_err());
        assert!(parse_entry("x;r;;arn", "1;o").is_err());
    }
}
