//! Benchmark of a definition's way in: validation, and parsing, of fifty states.

use std::fmt::Write;
use std::hint::black_box;

use asl::{Definition, Options};
use criterion::{Criterion, criterion_group, criterion_main};

fn definition(states: usize) -> String {
    let mut text = String::from(r#"{"StartAt":"S0","States":{"#);
    for number in 0..states {
        let next = number + 1;
        let state = match number % 3 {
            0 => format!(
                r#""Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{{"FunctionName":"f","Payload.$":"$.a.b[0]"}},
                "ResultPath":"$.r{number}","Retry":[{{"ErrorEquals":["States.ALL"]}}],"Next":"S{next}""#
            ),
            1 => format!(
                r#""Type":"Choice","Choices":[{{"And":[{{"Variable":"$.n","NumericGreaterThan":5}},{{"Variable":"$.s","IsString":true}}],
                "Next":"S{next}"}}],"Default":"S{next}""#
            ),
            _ => format!(
                r#""Type":"Pass","QueryLanguage":"JSONata","Output":{{"sum":"{{% $sum($states.input.items.price) %}}"}},"Next":"S{next}""#
            ),
        };
        write!(text, r#""S{number}":{{{state}}},"#).expect("writes");
    }
    write!(text, r#""S{states}":{{"Type":"Succeed"}}}}}}"#).expect("writes");
    text
}

fn benches(criterion: &mut Criterion) {
    let text = definition(49);
    assert!(Definition::parse(&text).is_ok(), "the definition is valid");
    criterion.bench_function("validate 50 states", |bencher| {
        bencher.iter(|| asl::validate(black_box(&text), Options::default()));
    });
    criterion.bench_function("validate and parse 50 states", |bencher| {
        bencher.iter(|| Definition::parse(black_box(&text)).map(|_| ()));
    });
}

criterion_group!(definitions, benches);
criterion_main!(definitions);
