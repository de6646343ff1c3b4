//! Which handler runs which resource.

use std::collections::HashMap;
use std::sync::Arc;

use model::JsonText;
use tokio::sync::Semaphore;
use wire::message::WorkItem;

use super::lambda::{Named, Parameters};
use super::{Handler, Pattern};
use crate::Failure;

/// Is what a handler is declared for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Declared {
    /// A Lambda function by its name.
    Function(String),
    /// Resources by a pattern.
    Resource(Pattern),
}

impl std::fmt::Display for Declared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Declared::Function(name) => write!(formatter, "function {name:?}"),
            Declared::Resource(pattern) => write!(formatter, "resource {:?}", pattern.as_str()),
        }
    }
}

/// Is a handler with its own bound on concurrency, where it has one.
pub(crate) struct Entry {
    pub(crate) handler: Box<dyn Handler>,
    pub(crate) slots: Option<Arc<Semaphore>>,
}

/// Knows all handlers of a worker.
#[derive(Default)]
pub(crate) struct Registry {
    functions: HashMap<Arc<str>, Arc<Entry>>,
    /// In the order of declaration: the first that fits is taken.
    resources: Vec<(Pattern, Arc<Entry>)>,
    /// Serves functions that nothing else does.
    fallback: Option<Arc<Entry>>,
    /// All entries, in the order of declaration.
    entries: Vec<Arc<Entry>>,
}

/// Says how input and output of a handler relate to the item's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// They are the same.
    Plain,
    /// The handler gets `Payload` and gives that of the response.
    Invoke,
}

/// Is a handler found for an item, with what it is to be given.
pub(crate) struct Resolved {
    pub(crate) entry: Arc<Entry>,
    pub(crate) function: Option<Arc<str>>,
    pub(crate) form: Form,
    pub(crate) input: JsonText,
}

impl Registry {
    /// Adds a handler. Gives the declaration back if there is one for the same function already.
    pub(crate) fn add(&mut self, declared: Declared, entry: Entry) -> Result<(), Declared> {
        let entry = Arc::new(entry);
        match declared {
            Declared::Function(name) if self.functions.contains_key(name.as_str()) => {
                return Err(Declared::Function(name));
            }
            Declared::Function(name) => drop(self.functions.insert(name.into(), Arc::clone(&entry))),
            Declared::Resource(pattern) => self.resources.push((pattern, Arc::clone(&entry))),
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Has Lambda functions run by `entry` that nothing else is declared for.
    pub(crate) fn set_fallback(&mut self, entry: Entry) {
        self.fallback = Some(Arc::new(entry));
    }

    /// Finds the handler of an item: by the function's name, else by the first pattern that fits the resource, else the one that
    /// serves all other functions.
    ///
    /// # Errors
    /// A failure of the task when the parameters of `lambda:invoke` can't be read.
    pub(crate) fn resolve(&self, item: &WorkItem) -> Result<Option<Resolved>, Failure> {
        let found = match Named::of(&item.resource) {
            Named::Function(name) => self.function(name, item, None),
            Named::Invoke if !self.functions.is_empty() => {
                let parameters = Parameters::read(&item.input)?;
                self.function(parameters.name(), item, Some(&parameters.payload))
            }
            Named::Invoke | Named::Other => None,
        };
        Ok(found.or_else(|| self.resource(item)).or_else(|| self.fallback(item)))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.fallback.is_none()
    }

    /// Ends what handlers keep running between tasks.
    pub(crate) async fn close(&self) {
        futures::future::join_all(self.entries.iter().map(|entry| entry.handler.close())).await;
    }

    fn function(&self, name: &str, item: &WorkItem, payload: Option<&JsonText>) -> Option<Resolved> {
        let (name, entry) = self.functions.get_key_value(name)?;
        let payload = payload.filter(|_| !entry.handler.answers_invoke());
        Some(Resolved {
            entry: Arc::clone(entry),
            function: Some(Arc::clone(name)),
            form: if payload.is_some() { Form::Invoke } else { Form::Plain },
            input: payload.unwrap_or(&item.input).clone(),
        })
    }

    fn resource(&self, item: &WorkItem) -> Option<Resolved> {
        let (_, entry) = self.resources.iter().find(|(pattern, _)| pattern.matches(&item.resource))?;
        Some(whole(entry, item))
    }

    fn fallback(&self, item: &WorkItem) -> Option<Resolved> {
        let entry = self.fallback.as_ref().filter(|_| Named::of(&item.resource) != Named::Other)?;
        Some(whole(entry, item))
    }
}

fn whole(entry: &Arc<Entry>, item: &WorkItem) -> Resolved {
    Resolved { entry: Arc::clone(entry), function: None, form: Form::Plain, input: item.input.clone() }
}
