//! `Assign`: the variables that a state sets, and payloads in either language.

use std::sync::Arc;

use crate::query::QueryTemplate;
use crate::template::Template;

/// Is a compiled payload in the language of its state.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// In JSONPath.
    Template(Template),
    /// In JSONata.
    Query(QueryTemplate),
}

/// Is what a state, a Choice rule or a Catcher assigns: variables by name, in the order of the text. Every right-hand side
/// sees the variables as they were before.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Assignment {
    variables: Arc<[(Arc<str>, Payload)]>,
}

impl Assignment {
    pub(crate) fn new(variables: Vec<(Arc<str>, Payload)>) -> Self {
        Self { variables: variables.into() }
    }

    /// Lists the variables, each with what it is set to.
    pub fn variables(&self) -> impl ExactSizeIterator<Item = (&str, &Payload)> {
        self.variables.iter().map(|(name, value)| (&**name, value))
    }

    /// Tells whether nothing is assigned.
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }
}
