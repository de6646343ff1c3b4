//! A parsed expression, and what it looks at.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use jsonata_core::ast::{AstNode, BinaryOp, Stage};

use crate::error::SyntaxError;
use crate::grammar;
use crate::guard;
use crate::syntax;

/// Bounds the length of an expression in bytes; AWS's bound is that of the whole definition.
const LENGTH_MAX: usize = 64 * 1024;

/// Functions whose cost may grow faster than what they are given.
const LONG: [&str; 8] = ["range", "pad", "replace", "match", "sort", "distinct", "join", "formatNumber"];

/// Is a parsed expression. Cloning shares it; it may go to other threads.
#[derive(Clone)]
pub struct Expression {
    text: Arc<str>,
    ast: Arc<AstNode>,
    uses: Arc<Uses>,
    unsupported: Option<Arc<str>>,
}

/// Is what an expression looks at beyond what it binds itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// The variables that it names without binding them, `states` among them.
    pub variables: BTreeSet<String>,
    /// Which members of `$states` it names.
    pub states: BTreeSet<String>,
    /// Whether it looks at `$states` as a whole, so that any member may matter.
    pub all_states: bool,
    /// What it refers to at the top level, where there is nothing to refer to: names, `$`, `$$`, `*` and `**`, each once, in the
    /// order of the text.
    pub top_level: Vec<String>,
    /// The functions that it calls without binding them.
    pub functions: BTreeSet<String>,
    /// The names of checked builtins that it binds, and uses too.
    pub(crate) hidden: BTreeSet<String>,
    /// Whether functions of ours may be called, those that the guard puts in among them.
    pub(crate) calls: bool,
    /// Whether it binds variables of its own or makes functions.
    pub binds: bool,
    /// Whether what it costs is not bounded by the size of what it looks at: it binds, makes sequences of its own, or calls
    /// functions that go over what they are given more than once.
    pub may_be_long: bool,
}

impl Uses {
    /// Adds what another expression looks at.
    pub fn merge(&mut self, other: &Uses) {
        self.variables.extend(other.variables.iter().cloned());
        self.states.extend(other.states.iter().cloned());
        self.functions.extend(other.functions.iter().cloned());
        self.hidden.extend(other.hidden.iter().cloned());
        self.all_states |= other.all_states;
        self.binds |= other.binds;
        self.calls |= other.calls;
        self.may_be_long |= other.may_be_long;
        other.top_level.iter().for_each(|name| self.refer(name));
    }

    /// Adds a reference at the top level.
    fn refer(&mut self, name: &str) {
        if !self.top_level.iter().any(|known| known == name) {
            self.top_level.push(name.to_owned());
        }
    }

    /// Tells whether a function may be called, or taken as a value.
    pub(crate) fn names(&self, function: &str) -> bool {
        self.functions.contains(function) || self.variables.contains(function) || self.hidden.contains(function)
    }

    /// Gives the function that is called, if it is the only one and none is made.
    pub(crate) fn only_function(&self) -> Option<&str> {
        let mut functions = self.functions.iter().filter(|_| !self.binds);
        functions.next().filter(|_| functions.next().is_none()).map(String::as_str)
    }

    /// Tells whether the expression may look at a member of `$states`.
    pub fn looks_at(&self, member: &str) -> bool {
        self.all_states || self.states.contains(member)
    }
}

impl Expression {
    /// Parses an expression, the text between `{%` and `%}`; blanks around it don't matter.
    ///
    /// # Errors
    /// `SyntaxError` for what is no expression of JSONata 2.0.6, and what is too long.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let text = text.trim();
        check_length(text)?;
        let unsupported = grammar::check(text).map_err(|message| SyntaxError { message })?;
        Ok(Self { unsupported: unsupported.map(Arc::from), ..Self::load(text)? })
    }

    /// Parses an expression that was taken before, as one of a definition that is stored: it may be in a later version of
    /// JSONata, and hold regular expressions that fail when they are run.
    ///
    /// # Errors
    /// `SyntaxError` for what can't be parsed at all, and what is too long.
    pub fn load(text: &str) -> Result<Self, SyntaxError> {
        let text = text.trim();
        check_length(text)?;
        let parsed = std::panic::catch_unwind(|| jsonata_core::parser::parse(text));
        let ast = match parsed {
            Ok(Ok(ast)) => ast,
            Ok(Err(error)) => return Err(SyntaxError { message: syntax::message(&error) }),
            Err(_) => return Err(SyntaxError { message: syntax::UNPARSED.to_owned() }),
        };
        let mut reader = Reader::default();
        reader.node(&ast);
        let uses = reader.into_uses();
        let ast = guard::guarded(ast, &uses);
        Ok(Self { text: text.into(), ast: Arc::new(ast), uses: Arc::new(uses), unsupported: None })
    }

    /// Gives the text that was parsed.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says what it looks at.
    pub fn uses(&self) -> &Uses {
        &self.uses
    }

    /// Says what of it is right, but not supported.
    pub fn unsupported(&self) -> Option<&str> {
        self.unsupported.as_deref()
    }

    pub(crate) fn ast(&self) -> &AstNode {
        &self.ast
    }
}

fn check_length(text: &str) -> Result<(), SyntaxError> {
    if text.len() > LENGTH_MAX {
        return Err(SyntaxError { message: format!("The expression is longer than {LENGTH_MAX} bytes") });
    }
    Ok(())
}

/// Tells whether a function of ours may be called for a node: one that it names, or one that the guard puts in.
fn calls(node: &AstNode) -> bool {
    if let AstNode::Variable(name) = node {
        return guard::is_checked(name);
    }
    if let AstNode::Binary { op, .. } = node {
        return matches!(op, BinaryOp::Range | BinaryOp::Concatenate | BinaryOp::ChainPipe | BinaryOp::ColonEqual);
    }
    matches!(
        node,
        AstNode::Function { .. }
            | AstNode::Lambda { .. }
            | AstNode::Array(_)
            | AstNode::Object(_)
            | AstNode::ObjectTransform { .. }
    )
}

impl fmt::Debug for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Expression").field(&self.text).finish()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Expression {}

/// Walks over a tree. Scopes are not told apart: what is bound anywhere counts as bound.
#[derive(Default)]
struct Reader {
    uses: Uses,
    /// How many steps there are around that give a context item.
    contexts: usize,
    bound: BTreeSet<String>,
}

impl Reader {
    fn into_uses(self) -> Uses {
        let Reader { mut uses, bound, .. } = self;
        let is_used = |name: &String| uses.variables.contains(name) || uses.functions.contains(name);
        uses.hidden = bound.iter().filter(|name| guard::is_checked(name) && is_used(name)).cloned().collect();
        uses.variables.retain(|name| !bound.contains(name));
        uses.functions.retain(|name| !bound.contains(name));
        uses.may_be_long |= uses.binds || LONG.iter().any(|name| uses.functions.contains(*name));
        uses
    }

    fn nodes<'a>(&mut self, nodes: impl IntoIterator<Item = &'a AstNode>) {
        for node in nodes {
            self.node(node);
        }
    }

    /// Runs what has a context item.
    fn within(&mut self, read: impl FnOnce(&mut Self)) {
        self.contexts += 1;
        read(self);
        self.contexts -= 1;
    }

    /// Notes a reference to the context item.
    fn refer(&mut self, name: &str) {
        if self.contexts == 0 {
            self.uses.refer(name);
        }
    }

    fn node(&mut self, node: &AstNode) {
        self.uses.calls |= calls(node);
        match node {
            AstNode::Variable(name) => {
                if name.is_empty() {
                    self.refer("$");
                }
                if name == "states" {
                    self.uses.all_states = true;
                }
                if !name.is_empty() && name != "$" {
                    // For each of many items, it may be gone over again.
                    self.uses.may_be_long |= self.contexts > 0;
                    self.uses.variables.insert(name.clone());
                }
            }
            AstNode::Path { steps } => self.path(steps),
            AstNode::Binary { op, lhs, rhs } => {
                self.uses.may_be_long |= *op == BinaryOp::Range;
                if let (BinaryOp::ColonEqual, AstNode::Variable(name)) = (op, &**lhs) {
                    self.uses.binds = true;
                    self.bound.insert(name.clone());
                } else {
                    self.node(lhs);
                }
                self.node(rhs);
            }
            AstNode::Function { name, args, .. } => {
                self.uses.functions.insert(name.clone());
                self.nodes(args);
            }
            AstNode::Call { procedure, args } => {
                self.node(procedure);
                self.nodes(args);
            }
            AstNode::Lambda { params, body, .. } => {
                self.uses.binds = true;
                self.bound.extend(params.iter().cloned());
                self.within(|this| this.node(body));
            }
            AstNode::Unary { operand, .. } => self.node(operand),
            AstNode::Array(nodes) | AstNode::Block(nodes) | AstNode::ArrayGroup(nodes) => self.nodes(nodes),
            AstNode::Object(pairs) => self.pairs(pairs),
            AstNode::ObjectTransform { input, pattern } => {
                self.node(input);
                self.within(|this| this.pairs(pattern));
            }
            AstNode::Conditional { condition, then_branch, else_branch } => {
                self.node(condition);
                self.node(then_branch);
                self.nodes(else_branch.as_deref());
            }
            AstNode::FunctionApplication(inner) => self.node(inner),
            AstNode::Sort { input, terms } => {
                self.node(input);
                self.within(|this| this.nodes(terms.iter().map(|(term, _)| term)));
            }
            AstNode::Transform { location, update, delete } => {
                self.within(|this| {
                    this.node(location);
                    this.node(update);
                    this.nodes(delete.as_deref());
                });
            }
            AstNode::String(_)
            | AstNode::Number(_)
            | AstNode::Boolean(_)
            | AstNode::Null
            | AstNode::Undefined
            | AstNode::Placeholder
            | AstNode::Regex { .. }
            | AstNode::Parent(_) => {}
            AstNode::ParentVariable(_) => {
                self.uses.refer("$$");
            }
            AstNode::Name(name) => self.refer(name),
            AstNode::Wildcard => self.refer("*"),
            AstNode::Descendant => {
                self.refer("**");
                self.uses.may_be_long = true;
            }
        }
    }

    fn pairs(&mut self, pairs: &[(AstNode, AstNode)]) {
        for (name, value) in pairs {
            self.node(name);
            self.node(value);
        }
    }

    fn path(&mut self, steps: &[jsonata_core::ast::PathStep]) {
        let member = match steps {
            [first, second, ..] if first.stages.is_empty() && first.focus.is_none() => {
                match (&first.node, &second.node) {
                    (AstNode::Variable(name), AstNode::Name(member)) if name == "states" => Some(member),
                    _ => None,
                }
            }
            _ => None,
        };
        if let Some(member) = member {
            self.uses.may_be_long |= self.contexts > 0;
            self.uses.variables.insert("states".to_owned());
            self.uses.states.insert(member.clone());
        }
        for (position, step) in steps.iter().enumerate() {
            if position > 0 {
                self.within(|this| this.node(&step.node));
            } else if member.is_none() {
                self.node(&step.node);
            }
            self.bound.extend(step.focus.iter().chain(&step.index_var).cloned());
            self.uses.may_be_long |= step.focus.is_some();
            self.uses.calls |= step.focus.is_some();
            for stage in &step.stages {
                match stage {
                    Stage::Filter(filter) => self.within(|this| this.node(filter)),
                    Stage::Index(name) => {
                        self.bound.insert(name.clone());
                    }
                    Stage::KeepArray => {}
                }
            }
        }
    }
}
