//! Puts checks around what jsonata-core does without bound.
//!
//! A call `$pad(…)` becomes a call of the checked function [`checked_name`]`("pad")`, which gets the context item as one more
//! argument and calls the builtin when its arguments are harmless. Where an expression can build up values step by step (it
//! binds variables or makes functions), texts are put together, and values compared and rendered, by checked functions too.

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

use crate::expression::Uses;

/// Builtins whose cost or safety depends on what their arguments say.
pub(crate) const CHECKED: [&str; 9] =
    ["pad", "fromMillis", "toMillis", "formatInteger", "parseInteger", "formatNumber", "now", "join", "replace"];
/// The checked `&`.
pub(crate) const CONCAT: &str = "checked concat";
/// Gives its argument back if that is small enough to be walked over.
pub(crate) const BOUNDED: &str = "checked size";

/// Builtins that walk over the whole of their first argument.
const WALKERS: [&str; 2] = ["string", "distinct"];

/// Gives the name of the checked form of a builtin, which no expression can spell.
pub(crate) fn checked_name(name: &str) -> String {
    format!("checked {name}")
}

/// Puts the checks in.
pub(crate) fn guarded(ast: AstNode, uses: &Uses) -> AstNode {
    Guard { uses }.node(ast)
}

struct Guard<'a> {
    uses: &'a Uses,
}

impl Guard<'_> {
    fn boxed(&self, mut node: Box<AstNode>) -> Box<AstNode> {
        *node = self.node(std::mem::replace(&mut *node, AstNode::Undefined));
        node
    }

    fn nodes(&self, nodes: Vec<AstNode>) -> Vec<AstNode> {
        nodes.into_iter().map(|node| self.node(node)).collect()
    }

    fn pairs(&self, pairs: Vec<(AstNode, AstNode)>) -> Vec<(AstNode, AstNode)> {
        pairs.into_iter().map(|(name, value)| (self.node(name), self.node(value))).collect()
    }

    fn node(&self, node: AstNode) -> AstNode {
        match node {
            AstNode::Path { steps } => AstNode::Path { steps: steps.into_iter().map(|step| self.step(step)).collect() },
            AstNode::Binary { op, lhs, rhs } => self.binary(op, self.node(*lhs), self.node(*rhs)),
            AstNode::Unary { op, operand } => AstNode::Unary { op, operand: self.boxed(operand) },
            AstNode::Function { name, args, is_builtin } => self.call(name, self.nodes(args), is_builtin),
            AstNode::Call { procedure, args } => {
                AstNode::Call { procedure: self.boxed(procedure), args: self.nodes(args) }
            }
            AstNode::Lambda { params, body, signature, thunk } => {
                AstNode::Lambda { params, body: self.boxed(body), signature, thunk }
            }
            AstNode::Array(nodes) => AstNode::Array(self.nodes(nodes)),
            AstNode::Block(nodes) => AstNode::Block(self.nodes(nodes)),
            AstNode::ArrayGroup(nodes) => AstNode::ArrayGroup(self.nodes(nodes)),
            AstNode::Object(pairs) => AstNode::Object(self.pairs(pairs)),
            AstNode::ObjectTransform { input, pattern } => {
                AstNode::ObjectTransform { input: self.boxed(input), pattern: self.pairs(pattern) }
            }
            AstNode::Conditional { condition, then_branch, else_branch } => AstNode::Conditional {
                condition: self.boxed(condition),
                then_branch: self.boxed(then_branch),
                else_branch: else_branch.map(|node| self.boxed(node)),
            },
            AstNode::FunctionApplication(inner) => AstNode::FunctionApplication(self.boxed(inner)),
            AstNode::Sort { input, terms } => AstNode::Sort {
                input: self.boxed(input),
                terms: terms.into_iter().map(|(term, descending)| (self.node(term), descending)).collect(),
            },
            AstNode::Transform { location, update, delete } => AstNode::Transform {
                location: self.boxed(location),
                update: self.boxed(update),
                delete: delete.map(|node| self.boxed(node)),
            },
            leaf @ (AstNode::String(_)
            | AstNode::Name(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::Variable(_)
            | AstNode::ParentVariable(_)
            | AstNode::Wildcard
            | AstNode::Descendant
            | AstNode::Parent(_)) => leaf,
        }
    }

    fn step(&self, mut step: PathStep) -> PathStep {
        step.node = self.node(step.node);
        let stage = |stage| match stage {
            Stage::Filter(filter) => Stage::Filter(self.boxed(filter)),
            stage @ (Stage::KeepArray | Stage::Index(_)) => stage,
        };
        step.stages = step.stages.into_iter().map(stage).collect();
        step
    }

    fn call(&self, name: String, mut args: Vec<AstNode>, is_builtin: bool) -> AstNode {
        let is_partial = args.iter().any(|arg| matches!(arg, AstNode::Placeholder));
        let is_ours = is_builtin && self.uses.functions.contains(&name) && !is_partial;
        if is_ours && CHECKED.contains(&name.as_str()) {
            args.push(AstNode::Variable(String::new()));
            return AstNode::Function { name: checked_name(&name), args, is_builtin };
        }
        if is_ours && self.uses.binds && WALKERS.contains(&name.as_str()) {
            let first = if args.is_empty() { AstNode::Variable(String::new()) } else { args.remove(0) };
            args.insert(0, bounded(first));
        }
        AstNode::Function { name, args, is_builtin }
    }

    fn binary(&self, op: BinaryOp, lhs: AstNode, rhs: AstNode) -> AstNode {
        let builds_up = self.uses.binds;
        match op {
            BinaryOp::Concatenate if builds_up => {
                AstNode::Function { name: CONCAT.to_owned(), args: vec![lhs, rhs], is_builtin: true }
            }
            BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In if builds_up => {
                AstNode::Binary { op, lhs: Box::new(unless_literal(lhs)), rhs: Box::new(unless_literal(rhs)) }
            }
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::In
            | BinaryOp::Concatenate
            | BinaryOp::Add
            | BinaryOp::Subtract
            | BinaryOp::Multiply
            | BinaryOp::Divide
            | BinaryOp::Modulo
            | BinaryOp::LessThan
            | BinaryOp::LessThanOrEqual
            | BinaryOp::GreaterThan
            | BinaryOp::GreaterThanOrEqual
            | BinaryOp::And
            | BinaryOp::Or
            | BinaryOp::Range
            | BinaryOp::ColonEqual
            | BinaryOp::FocusBind
            | BinaryOp::IndexBind
            | BinaryOp::Coalesce
            | BinaryOp::Default
            | BinaryOp::ChainPipe => AstNode::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) },
        }
    }
}

fn unless_literal(node: AstNode) -> AstNode {
    if matches!(node, AstNode::String(_) | AstNode::Number(_) | AstNode::Boolean(_) | AstNode::Null) {
        return node;
    }
    bounded(node)
}

fn bounded(node: AstNode) -> AstNode {
    AstNode::Function { name: BOUNDED.to_owned(), args: vec![node], is_builtin: true }
}
