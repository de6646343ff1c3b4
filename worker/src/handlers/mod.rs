//! What runs the work: one file per kind of handler, and how a Resource finds its handler.

mod child;
mod command;
mod file;
mod http;
mod invoke;
mod lambda;
mod limit;
mod native;
mod pattern;
mod process;
mod registry;

use std::sync::Arc;

use futures::future::BoxFuture;
use model::JsonText;

use crate::{Context, Failure};

pub use file::{HandlersFileError, Place};
pub(crate) use file::{Kinds, read};
pub(crate) use invoke::{Lambda, Target};
pub(crate) use lambda::invoke_answer;
pub(crate) use limit::{Bounds, RESPONSE_TOO_LARGE, too_large};
pub(crate) use native::{raw, typed};
pub(crate) use pattern::Pattern;
pub(crate) use registry::{Declared, Entry, Form, Registry, Resolved};

/// Runs tasks of one or more resources. Dropping the future stops the task.
pub(crate) trait Handler: Send + Sync + 'static {
    fn run(&self, call: Call) -> BoxFuture<'_, Answer>;

    /// Tells whether it takes the parameters of `lambda:invoke` as they are and gives the whole response, not only payloads.
    fn answers_invoke(&self) -> bool {
        false
    }

    /// Ends what the handler keeps running between tasks; none is open.
    fn close(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Is one task for a handler.
pub(crate) struct Call {
    /// The function's name, where the handler was found by it.
    pub(crate) function: Option<Arc<str>>,
    pub(crate) input: JsonText,
    pub(crate) context: Context,
}

/// Is what became of a task.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Output(JsonText),
    /// The call was made and answered so; the result comes by the task token, whatever the resource.
    Submitted(JsonText),
    Failed(Failure),
    /// The item's deadline passed: the coordinator times the attempt out by itself.
    PastDeadline,
}

impl From<Result<JsonText, Failure>> for Answer {
    fn from(result: Result<JsonText, Failure>) -> Self {
        match result {
            Ok(output) => Answer::Output(output),
            Err(failure) => Answer::Failed(failure),
        }
    }
}
