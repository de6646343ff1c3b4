//! Says what is wrong with a definition: all of it, in AWS's words and with the place of each fault.
//!
//! ```text
//! text ─► tree ─► machine ─► state ─► task, choice, wait, fail, parallel, map ─► retry, path, template, expression
//!                    └─► graph (transitions, names), scopes (variables)
//! ```
//! Nothing here depends on the typed definition: the tree is looked at as it stands, so that one fault hides no other.

mod choice;
mod expression;
mod fields;
mod graph;
mod json;
mod locate;
mod machine;
mod map;
mod options;
mod path;
mod place;
mod report;
mod resource;
mod retry;
mod scopes;
mod state;
mod task;
mod template;
#[cfg(test)]
mod tests;
mod tree;
mod variables;
mod wait;

pub use locate::locate;
pub use options::Options;

use crate::diagnostics::Diagnostics;
use crate::validate::report::Report;

/// Looks at a whole definition: errors first, then warnings, each as they stand in the text, at most 100 of either.
pub fn validate(text: &str, options: Options) -> Diagnostics {
    let mut report = Report::new(options);
    if let Some(definition) = json::parse(text, &mut report) {
        machine::definition(&definition, &mut report);
    }
    report.into_diagnostics()
}

/// Looks at one state that stands alone, as TestState takes it: nothing is said about where it leads.
pub fn validate_state(text: &str, options: Options) -> Diagnostics {
    let mut report = Report::new(options);
    if let Some(state) = json::parse(text, &mut report) {
        state::alone(&state, &mut report);
    }
    report.into_diagnostics()
}
