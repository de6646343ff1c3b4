//! Puts checks around what jsonata-core does without bound.
//!
//! A call `$pad(…)` becomes a call of the checked function [`checked_name`]`("pad")`, which gets the context item as one more
//! argument and calls the builtin when its arguments are harmless. Where an expression can build up values step by step (it
//! binds variables or makes functions), texts are put together, and values compared, by checked functions too.
//!
//! What makes texts or sequences is charged to the evaluation's allowance of memory ([`TEXTS`], [`ITEMS`]): the bounds on one text
//! and one sequence don't stop an expression that makes many.

use jsonata_core::ast::{AstNode, BinaryOp, PathStep, Stage};

use crate::expression::Uses;

/// Builtins whose cost or safety depends on what their arguments say.
pub(crate) const CHECKED: [&str; 11] = [
    "pad",
    "base64decode",
    "fromMillis",
    "toMillis",
    "formatInteger",
    "parseInteger",
    "formatNumber",
    "now",
    "join",
    "replace",
    "distinct",
];
/// The checked `&`.
pub(crate) const CONCAT: &str = "checked concat";
/// Gives its argument back if that is small enough to be walked over.
pub(crate) const BOUNDED: &str = "checked size";
/// Gives its argument back and charges its texts and its items.
pub(crate) const TEXTS: &str = "checked texts";
/// Gives its argument back and charges its items.
pub(crate) const ITEMS: &str = "checked items";
/// Gives its argument back and charges its items as those of a join, which carry what was joined before.
pub(crate) const JOINED: &str = "checked joined";
/// Tells whether a name that a builtin has stands for a value of the expression's own; it fails if not.
pub(crate) const OWN: &str = "checked own";

/// Builtins that walk over the whole of their first argument.
pub(crate) const WALKERS: [&str; 1] = ["string"];

/// Builtins that make texts, and are not checked.
const TEXT_MAKERS: [&str; 13] = [
    "substring",
    "substringBefore",
    "substringAfter",
    "uppercase",
    "lowercase",
    "trim",
    "split",
    "match",
    "base64encode",
    "encodeUrl",
    "encodeUrlComponent",
    "decodeUrl",
    "decodeUrlComponent",
];

/// Builtins that make sequences or objects.
const ITEM_MAKERS: [&str; 17] = [
    "append",
    "map",
    "filter",
    "sift",
    "each",
    "sort",
    "reverse",
    "shuffle",
    "zip",
    "spread",
    "keys",
    "merge",
    "lookup",
    "range",
    "partition",
    "parse",
    "clone",
];

/// Gives the name of the checked form of a builtin, which no expression can spell.
pub(crate) fn checked_name(name: &str) -> String {
    format!("checked {name}")
}

/// Gives the name of the checked form of a builtin that is a value, as in `$reduce($texts, $join)`.
pub(crate) fn value_name(name: &str) -> String {
    format!("checked value {name}")
}

/// Tells whether a builtin has a checked form.
pub(crate) fn is_checked(name: &str) -> bool {
    CHECKED.contains(&name) || WALKERS.contains(&name)
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

    fn kept_pairs(&self, pairs: Vec<(AstNode, AstNode)>) -> Vec<(AstNode, AstNode)> {
        pairs.into_iter().map(|(name, value)| (self.node(name), kept(self.node(value)))).collect()
    }

    /// Charges what a function gives, where that may be a sequence that lives on: not a parameter's member, which was there before.
    fn kept_result(&self, body: AstNode, params: &[String]) -> AstNode {
        if let AstNode::Path { steps } = &body
            && let [first, second] = &steps[..]
            && let (AstNode::Variable(name), AstNode::Name(_)) = (&first.node, &second.node)
            && params.contains(name)
        {
            return body;
        }
        if let AstNode::Block(mut nodes) = body {
            let last = nodes.pop().map(|node| self.kept_result(node, params));
            nodes.extend(last);
            return AstNode::Block(nodes);
        }
        if let AstNode::Conditional { condition, then_branch, else_branch } = body {
            return AstNode::Conditional {
                condition,
                then_branch: Box::new(self.kept_result(*then_branch, params)),
                else_branch: else_branch.map(|node| Box::new(self.kept_result(*node, params))),
            };
        }
        kept(body)
    }

    /// Lets a builtin that is a value be its checked form.
    fn variable(&self, name: String) -> AstNode {
        if !is_checked(&name) {
            return AstNode::Variable(name);
        }
        let checked = AstNode::Variable(value_name(&name));
        if self.uses.hidden.contains(&name) {
            return unless_own(&name, AstNode::Variable(name.clone()), checked);
        }
        checked
    }

    fn node(&self, node: AstNode) -> AstNode {
        match node {
            AstNode::Path { steps } => self.path(steps),
            AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs } => {
                let rhs = Box::new(kept(self.node(*rhs)));
                AstNode::Binary { op: BinaryOp::ColonEqual, lhs, rhs }
            }
            AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs } => {
                let (lhs, rhs) = (self.boxed(lhs), Box::new(self.applied(*rhs)));
                charged(TEXTS, AstNode::Binary { op: BinaryOp::ChainPipe, lhs, rhs })
            }
            AstNode::Binary { op, lhs, rhs } => self.binary(op, self.node(*lhs), self.node(*rhs)),
            AstNode::Unary { op, operand } => AstNode::Unary { op, operand: self.boxed(operand) },
            AstNode::Function { name, args, is_builtin } => self.call(name, self.nodes(args), is_builtin),
            AstNode::Call { procedure, args } => {
                AstNode::Call { procedure: self.boxed(procedure), args: self.nodes(args) }
            }
            AstNode::Lambda { params, body, signature, thunk } => {
                let body = self.node(*body);
                // A thunk's body is a call in tail position, which has to stay one.
                let body = if thunk { body } else { self.kept_result(body, &params) };
                AstNode::Lambda { params, body: Box::new(body), signature, thunk }
            }
            AstNode::Array(nodes) => AstNode::Array(self.nodes(nodes).into_iter().map(kept).collect()),
            AstNode::Block(nodes) => AstNode::Block(self.nodes(nodes)),
            AstNode::ArrayGroup(nodes) => AstNode::ArrayGroup(self.nodes(nodes)),
            AstNode::Object(pairs) => AstNode::Object(self.kept_pairs(pairs)),
            AstNode::ObjectTransform { input, pattern } => {
                AstNode::ObjectTransform { input: self.boxed(input), pattern: self.kept_pairs(pattern) }
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
            AstNode::Variable(name) => self.variable(name),
            leaf @ (AstNode::String(_)
            | AstNode::Name(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::ParentVariable(_)
            | AstNode::Wildcard
            | AstNode::Descendant
            | AstNode::Parent(_)) => leaf,
        }
    }

    /// A call with predicates or `[]` has to stay where it is: the path is charged for it.
    fn path(&self, steps: Vec<PathStep>) -> AstNode {
        let charge = steps.iter().filter(|step| !step.stages.is_empty()).find_map(|step| self.charge_of(&step.node));
        let mut steps: Vec<PathStep> = steps.into_iter().map(|step| self.step(step)).collect();
        // `a@$x.b@$y` makes an item for each pair, without a look at the clock.
        let begun = steps.iter().position(|step| step.focus.is_some()).unwrap_or(steps.len());
        for step in steps.iter_mut().skip(begun + 1).filter(|step| step.focus.is_some()) {
            step.node = charged(JOINED, std::mem::replace(&mut step.node, AstNode::Undefined));
        }
        let path = AstNode::Path { steps };
        match charge {
            Some(charge) => charged(charge, path),
            None => path,
        }
    }

    fn step(&self, mut step: PathStep) -> PathStep {
        let is_followed = !step.stages.is_empty();
        let node = std::mem::replace(&mut step.node, AstNode::Undefined);
        step.node = if is_followed { self.in_place(node) } else { self.node(node) };
        let stage = |stage| match stage {
            Stage::Filter(filter) => Stage::Filter(self.boxed(filter)),
            stage @ (Stage::KeepArray | Stage::Index(_)) => stage,
        };
        step.stages = step.stages.into_iter().map(stage).collect();
        step
    }

    /// Puts the checks into a call without charging it there.
    fn in_place(&self, node: AstNode) -> AstNode {
        if let AstNode::Function { name, args, is_builtin } = node {
            return self.checked_call(name, self.nodes(args), is_builtin);
        }
        self.node(node)
    }

    /// Puts the checks into what stands behind `~>`: a call there gets one more argument, so that it must stay a call.
    fn applied(&self, node: AstNode) -> AstNode {
        if let AstNode::Function { name, args, is_builtin } = node {
            return self.applied_call(name, self.nodes(args), is_builtin);
        }
        // `x ~> $map($f)[0]`: the call has a filter.
        if let AstNode::Path { mut steps } = node {
            let first = steps.first_mut().map(|step| std::mem::replace(&mut step.node, AstNode::Undefined));
            let mut steps: Vec<PathStep> = steps.into_iter().map(|step| self.step(step)).collect();
            if let (Some(step), Some(node)) = (steps.first_mut(), first) {
                step.node = self.applied(node);
            }
            return AstNode::Path { steps };
        }
        self.node(node)
    }

    fn applied_call(&self, name: String, mut args: Vec<AstNode>, is_builtin: bool) -> AstNode {
        if !is_builtin || !is_checked(&name) || self.uses.hidden.contains(&name) {
            return AstNode::Function { name, args, is_builtin };
        }
        if WALKERS.contains(&name.as_str()) || is_partial(&args) {
            return AstNode::Function { name: value_name(&name), args, is_builtin };
        }
        args.push(AstNode::Variable(String::new()));
        AstNode::Function { name: checked_name(&name), args, is_builtin }
    }

    fn call(&self, name: String, args: Vec<AstNode>, is_builtin: bool) -> AstNode {
        let node = AstNode::Function { name, args, is_builtin };
        let charge = self.charge_of(&node);
        let AstNode::Function { name, args, is_builtin } = node else { return node };
        let call = self.checked_call(name, args, is_builtin);
        match charge {
            Some(charge) => charged(charge, call),
            None => call,
        }
    }

    /// Says what a call is charged for, if it is that of a builtin which makes something.
    fn charge_of(&self, node: &AstNode) -> Option<&'static str> {
        let AstNode::Function { name, is_builtin: true, .. } = node else { return None };
        match name.as_str() {
            name if !self.uses.functions.contains(name) => None,
            name if TEXT_MAKERS.contains(&name) => Some(TEXTS),
            name if ITEM_MAKERS.contains(&name) => Some(ITEMS),
            _ => None,
        }
    }

    fn checked_call(&self, name: String, mut args: Vec<AstNode>, is_builtin: bool) -> AstNode {
        if !is_builtin || !is_checked(&name) {
            return AstNode::Function { name, args, is_builtin };
        }
        let hidden = self.uses.hidden.contains(&name).then(|| AstNode::Function {
            name: name.clone(),
            args: args.clone(),
            is_builtin,
        });
        let checked = if is_partial(&args) {
            AstNode::Function { name: value_name(&name), args, is_builtin }
        } else if WALKERS.contains(&name.as_str()) {
            let first = if args.is_empty() { AstNode::Variable(String::new()) } else { args.remove(0) };
            args.insert(0, bounded(first));
            AstNode::Function { name: name.clone(), args, is_builtin }
        } else {
            args.push(AstNode::Variable(String::new()));
            AstNode::Function { name: checked_name(&name), args, is_builtin }
        };
        match hidden {
            Some(call) => unless_own(&name, call, checked),
            None => checked,
        }
    }

    fn binary(&self, op: BinaryOp, lhs: AstNode, rhs: AstNode) -> AstNode {
        let builds_up = self.uses.binds;
        match op {
            BinaryOp::Range => charged(ITEMS, AstNode::Binary { op, lhs: Box::new(lhs), rhs: Box::new(rhs) }),
            BinaryOp::Concatenate => {
                AstNode::Function { name: CONCAT.to_owned(), args: vec![lhs, rhs], is_builtin: true }
            }
            BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::In if builds_up => {
                AstNode::Binary { op, lhs: Box::new(unless_literal(lhs)), rhs: Box::new(unless_literal(rhs)) }
            }
            BinaryOp::Equal
            | BinaryOp::NotEqual
            | BinaryOp::In
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
    charged(BOUNDED, node)
}

/// Charges what is put into an array, an object or a variable, where it may be a sequence made just now.
fn kept(node: AstNode) -> AstNode {
    // A path of one step is what stands there with its predicates, an array that is not to be taken apart, too.
    let is_path = matches!(&node, AstNode::Path { steps } if steps.len() > 1);
    if is_path { charged(ITEMS, node) } else { node }
}

fn charged(name: &str, node: AstNode) -> AstNode {
    AstNode::Function { name: name.to_owned(), args: vec![node], is_builtin: true }
}

fn is_partial(args: &[AstNode]) -> bool {
    args.iter().any(|arg| matches!(arg, AstNode::Placeholder))
}

/// Takes the checked form unless the name stands for a value of the expression's own by then: `($now := $now(); …)`.
fn unless_own(name: &str, own: AstNode, checked: AstNode) -> AstNode {
    let condition = charged(OWN, AstNode::Variable(name.to_owned()));
    AstNode::Conditional {
        condition: Box::new(condition),
        then_branch: Box::new(own),
        else_branch: Some(Box::new(checked)),
    }
}
