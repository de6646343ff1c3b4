//! Amazon States Language: text to a typed, validated definition, or diagnostics.
//!
//! [`Definition::parse`] is the way in. Paths, payload templates, conditions and timestamps are compiled while the text
//! is parsed, so that nothing is left to parse when an execution runs. What a running state computes is computed here
//! too, by pure functions over a [`Scope`]: [`Template::evaluate`], [`Condition::evaluate`], [`DataPath::read`].

mod assign;
mod condition;
mod definition;
mod diagnostics;
#[cfg(test)]
mod fixture;
mod flow;
mod hash_map;
pub mod intrinsic;
mod item_reader;
mod jackson;
mod map_run;
mod name;
mod parse;
mod path;
mod query;
mod resource;
mod retry;
mod scope;
mod state;
mod template;
pub mod timestamp;
mod validate;

pub use assign::{Assignment, Payload};
pub use condition::{Comparison, Condition, ConditionError, Operand, TypeTest};
pub use definition::{Definition, Machine, QueryLanguage};
pub use diagnostics::{Code, Diagnostic, Diagnostics, Severity};
pub use flow::DataFlow;
pub use item_reader::{ItemFormat, ItemReader};
pub use jackson::explain as explain_json;
pub use map_run::Way;
pub use name::StateName;
pub use parse::StateFault;
pub use path::{DataPath, PathError, Reason, Root};
pub use query::{Query, QueryError, QueryScope, QueryTemplate};
pub use resource::{IntegrationPattern, Resource, ResourceKind};
pub use retry::{Catcher, JitterStrategy, Retrier};
pub use scope::{Chance, Document, Scope};
pub use state::{
    ChildType, Choice, ChoiceRule, Fail, Limit, Map, Parallel, Pass, ProcessorMode, State, StateKind, Succeed, Task,
    TextSource, Transition, Wait, WaitUntil,
};
pub use template::{Template, TemplateError};
pub use validate::{Options, locate, validate, validate_state};
