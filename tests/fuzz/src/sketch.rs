//! Definitions drawn from bytes: most of them are valid.

use serde_json::{Map, Value, json};

use crate::draw::Draw;

/// How deep machines nest.
const DEPTH_MAX: usize = 3;
/// How many states a definition has in all, about.
const STATES_MAX: usize = 24;

const RESOURCES: &[&str] = &[
    "arn:aws:lambda:us-east-1:123456789012:function:F",
    "arn:aws:states:::lambda:invoke",
    "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
    "arn:aws:states:us-east-1:123456789012:activity:dig",
    "arn:aws:states:::states:startExecution.sync:2",
];
const PATHS: &[&str] = &[
    "$",
    "$.n",
    "$.list",
    "$.list[0]",
    "$.list[*]",
    "$..n",
    "$.list[?(@.n > 1)].n",
    "$.none",
    "$.text",
    "$.result",
    "$$.Execution.Input",
    "$$.State.Name",
    "$$.Map.Item.Value",
    "$$.Task.Token",
    "$v",
    "$v.n",
    "$w",
];
const PLACES: &[&str] = &["$.result", "$", "$.a.b", "$.list[0]", "$.list[7]", "$.text.x"];
const CALLS: &[&str] = &[
    "States.UUID()",
    "States.Array($.n, $$.State.Name)",
    "States.Format('{}-{}', $.text, $.n)",
    "States.MathAdd($.n, 1)",
    "States.StringToJson($.text)",
    "States.ArrayPartition($.list, 2)",
    "States.JsonMerge($, $v, false)",
    "States.ArrayRange(0, $.n, 1)",
    "States.MathRandom(0, 9)",
    "States.JsonToString($)",
    "States.ArrayUnique($.list)",
];
const EXPRESSIONS: &[&str] = &[
    "$states.input",
    "$states.input.list",
    "$states.result",
    "$states.errorOutput",
    "$v",
    "$v + 1",
    "$uuid()",
    "$count($states.input.list)",
    "$states.context.State.Name",
    "$merge([$states.input, {'m': 1}])",
    "$none",
    "1/0",
    "'a' + 1",
    "function($x){$x}",
    "[1..$states.input.n]",
    "$states.input.list[n > 1].n",
    "$random() < 0.5",
    "{'a': $states.input.text, 'b': [$v, $w]}",
    "$states.input.n > 2",
    "$error('no')",
    "$now()",
    "$range(1, 5, 2)",
];
const ERRORS: &[&str] =
    &["States.ALL", "States.TaskFailed", "States.Timeout", "Boom", "States.Runtime", "States.DataLimitExceeded"];

/// Draws a definition.
pub(crate) fn definition(draw: &mut Draw<'_>) -> Value {
    let jsonata = draw.once_in(3);
    let mut sketch = Sketch { count: 0, jsonata };
    let mut machine = sketch.machine(draw, 0);
    if jsonata {
        machine["QueryLanguage"] = json!("JSONata");
    }
    if draw.once_in(8) {
        machine["TimeoutSeconds"] = json!(draw.below(9) + 1);
    }
    machine
}

/// Draws an input.
pub(crate) fn input(draw: &mut Draw<'_>) -> Value {
    let list: Vec<Value> = (0..draw.below(6)).map(|n| json!({ "n": n })).collect();
    json!({ "n": draw.below(6), "list": list, "text": draw.pick(&["a,b", "{\"x\": 1}", "2026-01-02T03:04:06Z", "Boom"]) })
}

struct Sketch {
    count: usize,
    jsonata: bool,
}

impl Sketch {
    fn machine(&mut self, draw: &mut Draw<'_>, depth: usize) -> Value {
        let names: Vec<String> = (0..=draw.below(4))
            .map(|_| {
                self.count += 1;
                format!("S{}", self.count)
            })
            .collect();
        let mut states = Map::new();
        for (position, name) in names.iter().enumerate() {
            let next = names.get(position + 1).map(String::as_str);
            let state = self.state(draw, depth, next, &names);
            states.insert(name.clone(), state);
        }
        json!({ "StartAt": names[0], "States": states })
    }

    fn state(&mut self, draw: &mut Draw<'_>, depth: usize, next: Option<&str>, names: &[String]) -> Value {
        let outer = self.jsonata;
        let mut state = Map::new();
        if !outer && draw.once_in(4) {
            state.insert("QueryLanguage".to_owned(), json!("JSONata"));
            self.jsonata = true;
        }
        self.fill(&mut state, draw, depth, next, names);
        self.jsonata = outer;
        Value::Object(state)
    }

    fn fill(
        &mut self,
        state: &mut Map<String, Value>,
        draw: &mut Draw<'_>,
        depth: usize,
        next: Option<&str>,
        names: &[String],
    ) {
        let nests = depth < DEPTH_MAX && self.count < STATES_MAX;
        let kinds: &[&str] = match (next, nests) {
            (None, true) => &["Succeed", "Pass", "Task", "Parallel", "Map", "Fail", "Wait"],
            (None, false) => &["Succeed", "Pass", "Task", "Fail", "Wait"],
            (Some(_), true) => &["Pass", "Task", "Choice", "Wait", "Parallel", "Map", "Task"],
            (Some(_), false) => &["Pass", "Task", "Choice", "Wait"],
        };
        let kind = draw.pick(kinds);
        let mut set = |name: &str, value: Value| {
            state.insert(name.to_owned(), value);
        };
        set("Type", json!(kind));
        match kind {
            "Choice" => {
                set("Default", json!(draw.pick(names)));
                let rules = (0..=draw.below(2)).map(|_| self.rule(draw, names)).collect();
                set("Choices", Value::Array(rules));
            }
            "Fail" => self.fail(draw, state),
            "Succeed" => {}
            _ => {
                match next {
                    // Now and then a state leads back.
                    Some(next) if draw.once_in(12) => {
                        set("Next", json!(if draw.once_in(2) { next } else { &names[0] }))
                    }
                    Some(next) => set("Next", json!(next)),
                    None => set("End", json!(true)),
                }
                match kind {
                    "Wait" => self.wait(draw, state),
                    "Task" => self.task(draw, state),
                    "Parallel" => {
                        let branches = (0..=draw.below(3)).map(|_| self.machine(draw, depth + 1)).collect();
                        state.insert("Branches".to_owned(), Value::Array(branches));
                    }
                    "Map" => self.map(draw, state, depth),
                    _ => {}
                }
            }
        }
        if kind != "Fail" {
            self.data(draw, state, kind);
        }
        if matches!(kind, "Task" | "Parallel" | "Map") {
            self.guard(draw, state, names);
        }
    }

    fn wait(&self, draw: &mut Draw<'_>, state: &mut Map<String, Value>) {
        let (name, value) = match (draw.below(4), self.jsonata) {
            (0, _) => ("Seconds", json!(draw.below(4))),
            (1, false) => ("SecondsPath", json!(draw.pick(PATHS))),
            (2, false) => ("TimestampPath", json!(draw.pick(PATHS))),
            (1, true) => ("Seconds", self.expression(draw)),
            (2, true) => ("Timestamp", self.expression(draw)),
            _ => ("Timestamp", json!(draw.pick(&["2026-01-02T03:04:07Z", "2025-01-02T03:04:05.678+01:00"]))),
        };
        state.insert(name.to_owned(), value);
    }

    fn task(&self, draw: &mut Draw<'_>, state: &mut Map<String, Value>) {
        state.insert("Resource".to_owned(), json!(draw.pick(RESOURCES)));
        if draw.once_in(3) {
            state.insert("TimeoutSeconds".to_owned(), json!(draw.below(5) + 2));
            if draw.once_in(2) {
                state.insert("HeartbeatSeconds".to_owned(), json!(1));
            }
        }
        if draw.once_in(2) {
            let name = if self.jsonata { "Arguments" } else { "Parameters" };
            let payload = self.template(draw);
            state.insert(name.to_owned(), payload);
        }
    }

    fn map(&mut self, draw: &mut Draw<'_>, state: &mut Map<String, Value>, depth: usize) {
        let (name, value) =
            if self.jsonata { ("Items", self.expression(draw)) } else { ("ItemsPath", json!("$.list")) };
        if draw.once_in(8) {
            state.insert(name.to_owned(), if self.jsonata { json!([1, 2]) } else { json!(draw.pick(PATHS)) });
        } else {
            state.insert(name.to_owned(), value);
        }
        state.insert("MaxConcurrency".to_owned(), json!(draw.below(4)));
        if draw.once_in(3) {
            let selected = self.template(draw);
            state.insert("ItemSelector".to_owned(), selected);
        }
        let processor = self.machine(draw, depth + 1);
        state.insert("ItemProcessor".to_owned(), processor);
    }

    /// Draws what a state does with its data.
    fn data(&self, draw: &mut Draw<'_>, state: &mut Map<String, Value>, kind: &str) {
        let mut set = |name: &str, value: Value| {
            state.insert(name.to_owned(), value);
        };
        let has_result = matches!(kind, "Task" | "Parallel" | "Map");
        if self.jsonata {
            if draw.once_in(3) && kind != "Choice" {
                set("Output", self.expression(draw));
            }
        } else {
            if draw.once_in(6) {
                set("InputPath", json!(draw.pick(PATHS)));
            }
            if draw.once_in(6) {
                set("OutputPath", json!(draw.pick(PATHS)));
            }
            if (has_result || kind == "Pass") && draw.once_in(2) {
                set("ResultPath", json!(draw.pick(PLACES)));
            }
            if has_result && draw.once_in(5) {
                set("ResultSelector", self.template(draw));
            }
            if kind == "Pass" && draw.once_in(3) {
                set("Parameters", self.template(draw));
            }
        }
        if draw.once_in(4) && kind != "Succeed" {
            let (name, value) = match self.jsonata {
                true => ("v", self.expression(draw)),
                false => ("v.$", json!(draw.pick(PATHS))),
            };
            set("Assign", json!({ (name): value, "w": draw.below(3) }));
        }
    }

    fn guard(&self, draw: &mut Draw<'_>, state: &mut Map<String, Value>, names: &[String]) {
        if draw.once_in(2) {
            let mut catcher = json!({ "ErrorEquals": [draw.pick(ERRORS)], "Next": draw.pick(names) });
            if !self.jsonata && draw.once_in(2) {
                catcher["ResultPath"] = json!(draw.pick(PLACES));
            }
            if self.jsonata && draw.once_in(2) {
                catcher["Output"] = self.expression(draw);
            }
            state.insert("Catch".to_owned(), json!([catcher]));
        }
        if draw.once_in(2) {
            let retrier = json!({
                "ErrorEquals": [draw.pick(ERRORS)], "IntervalSeconds": draw.below(3) + 1, "MaxAttempts": draw.below(4),
                "BackoffRate": draw.pick(&[1.0, 2.5]), "MaxDelaySeconds": 5,
                "JitterStrategy": draw.pick(&["NONE", "FULL"]),
            });
            state.insert("Retry".to_owned(), json!([retrier]));
        }
    }

    fn fail(&self, draw: &mut Draw<'_>, state: &mut Map<String, Value>) {
        let (name, value) = match (draw.below(3), self.jsonata) {
            (0, _) => ("Error", json!(draw.pick(ERRORS))),
            (1, false) => ("CausePath", json!(draw.pick(&["$.text", "$.none", "States.JsonToString($)"]))),
            (1, true) => ("Cause", self.expression(draw)),
            _ => return,
        };
        state.insert(name.to_owned(), value);
    }

    fn rule(&self, draw: &mut Draw<'_>, names: &[String]) -> Value {
        let next = draw.pick(&names.iter().map(String::as_str).collect::<Vec<_>>()).to_owned();
        if self.jsonata {
            return json!({ "Condition": self.expression(draw), "Next": next });
        }
        let variable = draw.pick(PATHS);
        let (operator, operand) = match draw.below(7) {
            0 => ("NumericGreaterThan", json!(draw.below(5))),
            1 => ("IsPresent", json!(true)),
            2 => ("StringMatches", json!(draw.pick(&["a*", "*,*", "\\\\*"]))),
            3 => ("NumericLessThanPath", json!(draw.pick(PATHS))),
            4 => ("TimestampGreaterThan", json!("2026-01-02T03:04:05Z")),
            5 => ("IsString", json!(true)),
            _ => ("StringEqualsPath", json!(draw.pick(PATHS))),
        };
        let test = json!({ "Variable": variable, (operator): operand });
        match draw.below(3) {
            0 => json!({ "Variable": variable, (operator): test[operator], "Next": next }),
            1 => json!({ "Not": test, "Next": next }),
            _ => json!({ "And": [test, { "Variable": "$.n", "IsPresent": true }], "Next": next }),
        }
    }

    fn template(&self, draw: &mut Draw<'_>) -> Value {
        if self.jsonata {
            return json!({ "x": self.expression(draw), "y": [1, self.expression(draw)] });
        }
        let computed = if draw.once_in(2) { draw.pick(CALLS) } else { draw.pick(PATHS) };
        let mut template = json!({ "x.$": computed, "y": { "z": [1, { "q.$": draw.pick(PATHS) }] } });
        if draw.once_in(4) {
            template["own.$"] = json!(draw.text());
        }
        template
    }

    fn expression(&self, draw: &mut Draw<'_>) -> Value {
        let text = if draw.once_in(6) { draw.text() } else { draw.pick(EXPRESSIONS).to_owned() };
        json!(format!("{{% {text} %}}"))
    }
}
