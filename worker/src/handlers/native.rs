//! Handlers written in Rust: async functions of an input and a [`Context`].

use std::any::Any;
use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use model::JsonText;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Answer, Call, Handler};
use crate::{Context, Failure};

/// Makes a handler of JSON texts.
pub(crate) fn raw<F, Fut>(function: F) -> impl Handler
where
    F: Fn(JsonText, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<JsonText, Failure>> + Send + 'static,
{
    Native(function)
}

/// Makes a handler of serde's types.
pub(crate) fn typed<F, Fut, I, O, E>(function: F) -> impl Handler
where
    F: Fn(I, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<O, E>> + Send + 'static,
    I: DeserializeOwned,
    O: Serialize,
    E: Into<Failure>,
{
    Native(move |input: JsonText, context| {
        let begun = serde_json::from_str::<I>(input.as_str()).map(|input| function(input, context));
        async move {
            let running =
                begun.map_err(|error| Failure::new("Runtime.UnmarshalError", format!("read the input: {error}")))?;
            let output = running.await.map_err(Into::into)?;
            let text = serde_json::to_string(&output)
                .map_err(|error| Failure::new("Runtime.MarshalError", format!("render the output: {error}")))?;
            Ok(JsonText::trusted(text))
        }
    })
}

/// Is a handler in this process. A panic of it is a failure of the task.
struct Native<F>(F);

impl<F, Fut> Handler for Native<F>
where
    F: Fn(JsonText, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<JsonText, Failure>> + Send + 'static,
{
    fn run(&self, call: Call) -> BoxFuture<'_, Answer> {
        let context = call.context.clone();
        let begun = std::panic::catch_unwind(AssertUnwindSafe(|| (self.0)(call.input, call.context)));
        match begun {
            Ok(running) => AssertUnwindSafe(running).catch_unwind().map(move |result| answer(result, &context)).boxed(),
            Err(panic) => std::future::ready(answer(Err(panic), &context)).boxed(),
        }
    }
}

fn answer(result: Result<Result<JsonText, Failure>, Box<dyn Any + Send>>, context: &Context) -> Answer {
    let result = result.unwrap_or_else(|panic| Err(Failure::new("Runtime.Panic", message(&*panic))));
    match result {
        Ok(output) if context.is_submitted() => Answer::Submitted(output),
        Ok(output) => Answer::Output(output),
        Err(failure) => Answer::Failed(failure),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the handler panicked: {}", text.unwrap_or("without a message"))
}
