//! JSONata: evaluation ends within its bounds, and what it gives is JSON that depends on nothing but what it was given.

use std::time::{Duration, Instant};

use jsonata::{Bounds, EvaluationError, Expression, Moment, Outcome, Session};

const BOUNDS: Bounds = Bounds {
    time_millis: 300,
    lap_millis: u64::MAX,
    depth: 3_000,
    sequence: 20_000,
    bytes: 256 * 1024,
    memory: 64 * 1024 * 1024,
};
/// How long an evaluation may take on a busy machine under a sanitizer before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(10);
const STATES: &[(&str, &str)] = &[
    (
        "input",
        r#"{"a":1.50,"list":[3,1,2],"orders":[{"id":"x","lines":[{"sku":"s","price":2}]}],"text":"a-b c","t":true}"#,
    ),
    ("context", r#"{"State":{"Name":"S"}}"#),
];

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(expression) = Expression::parse(text) else { return };
    let begun = begin();
    let first = evaluate(&expression);
    let took = begun.elapsed();
    assert!(took < PATIENCE, "it took {took:?}");
    if let Ok(Outcome::Value { text, .. }) = &first {
        assert!(text.len() <= BOUNDS.bytes * 2, "a result of {} bytes", text.len());
        let value: Result<serde_json::Value, _> = serde_json::from_str(text);
        assert!(value.is_ok(), "a result is JSON: {text}");
    }
    // What ran into the bound of time may come further the next time.
    if took < Duration::from_millis(BOUNDS.time_millis / 4) {
        assert_eq!(first, evaluate(&expression), "the same moment gives the same");
    }
}

fn evaluate(expression: &Expression) -> Result<Outcome, EvaluationError> {
    let variables = [("answer", "42"), ("text", "\"abc\"")];
    let moment = Moment { millis: 1_767_323_045_000, seed: 7 };
    Session::new(expression.uses(), moment, BOUNDS, variables, STATES)?.evaluate(expression)
}

#[expect(clippy::disallowed_methods, reason = "a hang is measured by the clock of the machine")]
fn begin() -> Instant {
    Instant::now()
}
