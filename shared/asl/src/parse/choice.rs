//! Choice states and their rules.

use crate::condition::{Comparison, Condition, Operand, TypeTest};
use crate::definition::QueryLanguage;
use crate::name::StateName;
use crate::parse::findings::Findings;
use crate::parse::source::{Node, Object};
use crate::parse::state::instant;
use crate::parse::{fields, path, query};
use crate::path::DataPath;
use crate::state::{Choice, ChoiceRule, StateKind};

/// The fields of which a rule has exactly one.
const SELECTORS: [&str; 5] = ["And", "Or", "Not", "Variable", "Condition"];

/// Bounds the nesting of `And`, `Or` and `Not`, since parsing and evaluation recurse.
const DEPTH_MAX: usize = 64;

/// Reads what is a Choice's own.
pub(crate) fn parse(state: &Object<'_>, findings: &mut Findings) -> Option<StateKind> {
    state.require(&["Choices"], findings);
    let default = state.get("Default").map(|default| default.string(findings));
    let nodes = state.get("Choices")?.filled_array(findings)?;
    let nodes_in_order = nodes.iter().enumerate();
    let choices: Vec<ChoiceRule> =
        nodes_in_order.filter_map(|(position, node)| rule(node, position, findings)).collect();
    if choices.len() != nodes.len() {
        return None;
    }
    let default = match default {
        Some(default) => Some(StateName::from(default?.as_str())),
        None => None,
    };
    Some(StateKind::Choice(Choice { choices, default }))
}

fn rule(node: &Node<'_>, position: usize, findings: &mut Findings) -> Option<ChoiceRule> {
    let object = node.object(findings)?;
    object.require(&["Next"], findings);
    let next = object.get("Next").and_then(|next| next.string(findings));
    let place = format!("Choices[{position}]/");
    let (condition, output) = match findings.language {
        QueryLanguage::JsonPath => (condition(&object, 0, findings), None),
        QueryLanguage::Jsonata => {
            let output = query::field(&object, "Output", &place, findings);
            (computed(&object, &place, findings), output)
        }
    };
    let assign = query::assignment(&object, &place, findings).unwrap_or_default();
    Some(ChoiceRule { condition: condition?, output, assign, next: StateName::from(next?.as_str()) })
}

/// Reads the condition of a rule in JSONata.
fn computed(rule: &Object<'_>, place: &str, findings: &mut Findings) -> Option<Condition> {
    fields::check(rule, &["Assign", "Comment", "Condition", "Next", "Output"], findings);
    rule.require(&["Condition"], findings);
    let node = rule.get("Condition")?;
    if !query::is_expression(node, findings) {
        return node.boolean(findings).map(Condition::Constant);
    }
    query::expression(node, &format!("{place}Condition"), findings).map(Condition::Query)
}

fn condition(rule: &Object<'_>, depth: usize, findings: &mut Findings) -> Option<Condition> {
    if depth > DEPTH_MAX {
        findings.schema("The conditions are nested too deeply", rule.pointer());
        return None;
    }
    check_fields(rule, depth, findings);
    let selectors = SELECTORS.iter().filter(|name| rule.has(name)).count();
    if selectors != 1 {
        let selectors = SELECTORS.join(", ");
        findings
            .schema(format!("The object must have only one of the following fields, [{selectors}]"), rule.pointer());
        return None;
    }
    if let Some(node) = rule.get("And") {
        return conditions(node, depth, findings).map(Condition::And);
    }
    if let Some(node) = rule.get("Or") {
        return conditions(node, depth, findings).map(Condition::Or);
    }
    if let Some(node) = rule.get("Not") {
        let inner = condition(&node.object(findings)?, depth + 1, findings)?;
        return Some(Condition::Not(Box::new(inner)));
    }
    comparison(rule, findings)
}

fn conditions(node: &Node<'_>, depth: usize, findings: &mut Findings) -> Option<Vec<Condition>> {
    let nodes = node.filled_array(findings)?;
    let mut parts = Vec::with_capacity(nodes.len());
    for node in &nodes {
        let part = node.object(findings).and_then(|part| condition(&part, depth + 1, findings));
        parts.extend(part);
    }
    (parts.len() == nodes.len()).then_some(parts)
}

/// Finds fault with fields that no rule has; only the outermost may have `Next`.
fn check_fields(rule: &Object<'_>, depth: usize, findings: &mut Findings) {
    let mut allowed = vec!["Comment"];
    allowed.extend(SELECTORS);
    if depth == 0 {
        allowed.extend(["Assign", "Next", "Output"]);
    }
    let operators = rule.fields().iter().map(|(name, _)| name.as_str()).filter(|name| Operator::parse(name).is_some());
    allowed.extend(operators);
    fields::check(rule, &allowed, findings);
}

fn comparison(rule: &Object<'_>, findings: &mut Findings) -> Option<Condition> {
    let variable = path::reference(rule.get("Variable")?, findings);
    let operators = rule.fields().iter().filter_map(|(name, node)| Some((Operator::parse(name)?, name, node)));
    let operators: Vec<_> = operators.collect();
    let [(operator, _, node)] = operators[..] else {
        let found = operators.iter().map(|(_, name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        let message = match operators.len() {
            0 => "A comparison operator is required".to_owned(),
            _ => format!("There should only be one of the following fields: [{found}]"),
        };
        findings.schema(message, rule.pointer());
        return None;
    };
    operator.condition(variable, node, findings)
}

/// Is what the name of an operator field says.
#[derive(Clone, Copy)]
enum Operator {
    Compare(Kind, Comparison),
    ComparePath(Kind, Comparison),
    Matches,
    Is(TypeTest),
    IsPresent,
}

/// Is the type that a comparison is for.
#[derive(Clone, Copy)]
enum Kind {
    String,
    Numeric,
    Boolean,
    Timestamp,
}

impl Operator {
    fn parse(name: &str) -> Option<Self> {
        let operator = match name {
            "StringMatches" => Operator::Matches,
            "IsNull" => Operator::Is(TypeTest::Null),
            "IsPresent" => Operator::IsPresent,
            "IsNumeric" => Operator::Is(TypeTest::Numeric),
            "IsString" => Operator::Is(TypeTest::String),
            "IsBoolean" => Operator::Is(TypeTest::Boolean),
            "IsTimestamp" => Operator::Is(TypeTest::Timestamp),
            _ => return Self::parse_comparison(name),
        };
        Some(operator)
    }

    fn parse_comparison(name: &str) -> Option<Self> {
        let kinds = [
            ("String", Kind::String),
            ("Numeric", Kind::Numeric),
            ("Boolean", Kind::Boolean),
            ("Timestamp", Kind::Timestamp),
        ];
        let (rest, kind) = kinds.into_iter().find_map(|(word, kind)| Some((name.strip_prefix(word)?, kind)))?;
        let (word, is_path) = match rest.strip_suffix("Path") {
            Some(word) => (word, true),
            None => (rest, false),
        };
        let comparison = match (word, kind) {
            ("Equals", _) => Comparison::Equals,
            (_, Kind::Boolean) => return None,
            ("LessThan", _) => Comparison::LessThan,
            ("LessThanEquals", _) => Comparison::LessThanEquals,
            ("GreaterThan", _) => Comparison::GreaterThan,
            ("GreaterThanEquals", _) => Comparison::GreaterThanEquals,
            _ => return None,
        };
        Some(if is_path { Operator::ComparePath(kind, comparison) } else { Operator::Compare(kind, comparison) })
    }

    fn condition(self, variable: Option<DataPath>, node: &Node<'_>, findings: &mut Findings) -> Option<Condition> {
        match self {
            Operator::Compare(kind, comparison) => {
                let operand = kind.operand(node, findings)?;
                Some(Condition::Compare { variable: variable?, comparison, operand })
            }
            Operator::ComparePath(kind, comparison) => {
                let operand = kind.path_operand(path::reference(node, findings)?);
                Some(Condition::Compare { variable: variable?, comparison, operand })
            }
            Operator::Matches => {
                let pattern = pattern(&node.string(findings)?);
                Some(Condition::Matches { variable: variable?, pattern })
            }
            Operator::Is(test) => {
                let expected = node.boolean(findings)?;
                Some(Condition::IsType { variable: variable?, test, expected })
            }
            Operator::IsPresent => {
                let expected = node.boolean(findings)?;
                Some(Condition::IsPresent { variable: variable?, expected })
            }
        }
    }
}

impl Kind {
    fn operand(self, node: &Node<'_>, findings: &mut Findings) -> Option<Operand> {
        match self {
            Kind::String => node.string(findings).map(|text| Operand::String(text.into())),
            Kind::Numeric => node.number(findings).map(Operand::Numeric),
            Kind::Boolean => node.boolean(findings).map(Operand::Boolean),
            Kind::Timestamp => instant(node, findings).map(|(instant, rest)| Operand::Timestamp(instant, rest)),
        }
    }

    fn path_operand(self, path: DataPath) -> Operand {
        match self {
            Kind::String => Operand::StringPath(path),
            Kind::Numeric => Operand::NumericPath(path),
            Kind::Boolean => Operand::BooleanPath(path),
            Kind::Timestamp => Operand::TimestampPath(path),
        }
    }
}

/// Splits a pattern at its stars; `\*` and `\\` stand for the second character. Gives the pattern back if a backslash stands before
/// anything else.
fn pattern(text: &str) -> Result<Vec<Box<str>>, Box<str>> {
    let mut parts = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '*' => {
                parts.push(String::new());
                continue;
            }
            '\\' => characters.next().filter(|next| matches!(next, '*' | '\\')).ok_or(text)?,
            other => other,
        };
        if let Some(last) = parts.last_mut() {
            last.push(literal);
        }
    }
    Ok(parts.into_iter().map(String::into_boxed_str).collect())
}
