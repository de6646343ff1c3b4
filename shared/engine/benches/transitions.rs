//! How long one transition takes, with a payload of 1 KB. Aims: Pass and Choice 5 µs, Task 20 µs, JSONata 40 µs.

use std::hint::black_box;

use asl::Definition;
use criterion::{Criterion, criterion_group, criterion_main};
use engine::{Branch, Context, Event, Execution, Limits, Moment, Outcome, Phase, RunLimits};
use model::{EventId, JsonText, Nonce, Timestamp};

fn execution() -> Execution {
    Execution {
        arn: "arn:aws:states:us-east-1:123456789012:execution:Machine:run-1".into(),
        name: "run-1".into(),
        state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:Machine".into(),
        state_machine_name: "Machine".into(),
        role_arn: "arn:aws:iam::123456789012:role/r".into(),
        region: "us-east-1".into(),
        input: payload(),
        started_at: Timestamp::from_millis(0),
        redrive_count: Some(0),
        seed: Nonce(7),
        missing_activities: Vec::new(),
        map_run: None,
    }
}

fn payload() -> JsonText {
    let lines: Vec<String> =
        (0..16).map(|line| format!(r#"{{"sku": "item-{line:04}", "quantity": {line}, "price": 12.50}}"#)).collect();
    let text = format!(r#"{{"orderId": "12345", "total": 3, "lines": [{}]}}"#, lines.join(", "));
    JsonText::parse(&text).expect("is JSON")
}

/// Makes the root branch, about to enter the definition's first state.
fn ready(definition: &Definition, execution: &Execution) -> Branch {
    let limits = Limits { run: RunLimits { bytes: 0, ..RunLimits::default() }, ..Limits::default() };
    let run = engine::start(definition, execution, moment(), &limits);
    let mut branch = run.branch.expect("it has only begun");
    branch.settle(EventId(0));
    branch
}

fn moment() -> Moment {
    Moment { at: Timestamp::from_millis(1_000), seed: Nonce(7) }
}

fn transitions(criterion: &mut Criterion) {
    let states = [
        ("pass", r#"{"Type":"Pass","Next":"Z"}"#),
        ("pass_with_parameters", r#"{"Type":"Pass","Parameters":{"id.$":"$.orderId"},"ResultPath":"$.p","Next":"Z"}"#),
        (
            "choice",
            r#"{"Type":"Choice","Default":"Z","Choices":[{"Variable":"$.total","NumericGreaterThan":9,"Next":"Z"}]}"#,
        ),
        (
            "pass_jsonata",
            r#"{"Type":"Pass","QueryLanguage":"JSONata","Output":{"id":"{% $states.input.orderId %}","sum":"{% $sum($states.input.lines.(quantity * price)) %}"},"Assign":{"total":"{% $states.input.total %}"},"Next":"Z"}"#,
        ),
        (
            "choice_jsonata",
            r#"{"Type":"Choice","QueryLanguage":"JSONata","Default":"Z","Choices":[{"Condition":"{% $states.input.total > 9 %}","Next":"Z"}]}"#,
        ),
        ("pass_with_assign", r#"{"Type":"Pass","Assign":{"id.$":"$.orderId"},"Next":"Z"}"#),
        (
            "task_scheduled",
            r#"{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:F","Next":"Z"}"#,
        ),
    ];
    let (execution, limits) = (execution(), Limits::default());
    let context = Context { moment: moment(), base: EventId(10), events: 0, limits: &limits };
    for (name, state) in states {
        let definition = definition(state);
        let branch = ready(&definition, &execution);
        let step = || engine::step(&definition, &execution, &branch, Event::Proceed, context);
        criterion.bench_function(name, |bencher| bencher.iter(|| black_box(step())));
    }
    task_reported(criterion, &execution, &limits);
}

/// Measures what a report causes, with its run: the attempt ends, the result is put into the input, the next state is entered.
fn task_reported(criterion: &mut Criterion, execution: &Execution, limits: &Limits) {
    let definition = definition(
        r#"{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:123456789012:function:F","ResultPath":"$.r","Next":"Z"}"#,
    );
    let run = engine::start(&definition, execution, moment(), limits);
    let mut branch = run.branch.expect("it waits for its task");
    branch.settle(EventId(0));
    let Phase::Task(task) = &branch.phase else { return };
    let attempt = task.attempt;
    let report = || Event::Report {
        attempt,
        started_at: None,
        worker: None,
        outcome: Outcome::Succeeded { output: payload_of_result() },
    };
    let run = || {
        let (branch, base) = (branch.clone(), EventId(3));
        engine::run(&definition, execution, branch, report(), moment(), limits, base)
    };
    criterion.bench_function("run_of_task_reported", |bencher| bencher.iter(|| black_box(run())));
}

fn payload_of_result() -> JsonText {
    JsonText::trusted(r#"{"status": "ok"}"#)
}

fn definition(state: &str) -> Definition {
    let text = format!(r#"{{"StartAt":"A","States":{{"A":{state},"Z":{{"Type":"Succeed"}}}}}}"#);
    Definition::parse(&text).expect("is valid")
}

criterion_group!(benches, transitions);
criterion_main!(benches);
