//! What tests evaluate in.

use model::JsonText;

use crate::scope::{Chance, Document, Scope};

/// Is a scope over texts.
pub(crate) struct Fixture {
    input: Document,
    context: Document,
    variable: Document,
    chance: Chance,
}

impl Fixture {
    /// Makes a scope with an input, a small context object and the variable `$var`.
    pub(crate) fn new(input: &str) -> Self {
        let document = |text: &str| Document::new(JsonText::parse(text).expect("is JSON"));
        Self {
            input: document(input),
            context: document(
                "{\"Execution\": {\"Name\": \"run-1\", \"Input\": {\"n\": 1.0}}, \"Map\": {\"Item\": {\"Index\": 2}}}",
            ),
            variable: document("{\"x\": [1, 2]}"),
            chance: Chance::new(7),
        }
    }
}

impl Scope for Fixture {
    fn input(&self) -> &Document {
        &self.input
    }

    fn context(&self) -> &Document {
        &self.context
    }

    fn variable(&self, name: &str) -> Option<&Document> {
        (name == "var").then_some(&self.variable)
    }

    fn chance(&self) -> &Chance {
        &self.chance
    }
}
