//! The eight types of states.

use std::sync::Arc;

use jsonata::Uses;
use model::{JsonText, Timestamp};

use crate::assign::{Assignment, Payload};
use crate::condition::Condition;
use crate::definition::{Machine, QueryLanguage};
use crate::flow::DataFlow;
use crate::intrinsic::Intrinsic;
use crate::item_reader::ItemReader;
use crate::name::StateName;
use crate::path::DataPath;
use crate::query::{Query, QueryTemplate};
use crate::resource::Resource;
use crate::retry::{Catcher, Retrier};

/// Is one state.
#[derive(Clone, Debug)]
pub struct State {
    /// Its name, unique in the whole definition.
    pub name: StateName,
    /// What the author says about it.
    pub comment: Option<String>,
    /// The language of its expressions.
    pub query_language: QueryLanguage,
    /// How it chooses its input and shapes its output; all defaults where the type allows none of it.
    pub flow: DataFlow,
    /// What it works on, in JSONata. Of Task and Parallel; without it the state's input.
    pub arguments: Option<QueryTemplate>,
    /// What leaves it, in JSONata; without it the result. Of a Choice where no rule holds.
    pub output: Option<QueryTemplate>,
    /// The variables that it sets. Of a Choice where no rule holds.
    pub assign: Assignment,
    /// What its expressions look at; the variables are those of its paths and intrinsic functions too.
    pub uses: Arc<Uses>,
    /// What it does.
    pub kind: StateKind,
}

/// Is what a state of each type does.
#[derive(Clone, Debug)]
pub enum StateKind {
    /// Has work done.
    Task(Box<Task>),
    /// Passes its input on, or a fixed result.
    Pass(Pass),
    /// Chooses the next state.
    Choice(Choice),
    /// Waits.
    Wait(Wait),
    /// Ends the machine well.
    Succeed(Succeed),
    /// Ends the machine with an error.
    Fail(Fail),
    /// Runs branches at the same time.
    Parallel(Parallel),
    /// Runs one machine for each of many items.
    Map(Box<Map>),
}

impl State {
    /// Gives the `Retry` entries, none where the type has no such field.
    pub fn retry(&self) -> &[Retrier] {
        match &self.kind {
            StateKind::Task(task) => &task.retry,
            StateKind::Parallel(parallel) => &parallel.retry,
            StateKind::Map(map) => &map.retry,
            StateKind::Pass(_)
            | StateKind::Choice(_)
            | StateKind::Wait(_)
            | StateKind::Succeed(_)
            | StateKind::Fail(_) => &[],
        }
    }

    /// Gives the `Catch` entries, none where the type has no such field.
    pub fn catch(&self) -> &[Catcher] {
        match &self.kind {
            StateKind::Task(task) => &task.catch,
            StateKind::Parallel(parallel) => &parallel.catch,
            StateKind::Map(map) => &map.catch,
            StateKind::Pass(_)
            | StateKind::Choice(_)
            | StateKind::Wait(_)
            | StateKind::Succeed(_)
            | StateKind::Fail(_) => &[],
        }
    }

    /// Tells whether the type of the state has a result, which `$states.result` stands for.
    pub fn has_result(&self) -> bool {
        matches!(self.kind, StateKind::Task(_) | StateKind::Parallel(_) | StateKind::Map(_))
    }

    /// Gives the `Next` or `End` of the state, `None` for Choice, Succeed and Fail.
    pub fn transition(&self) -> Option<&Transition> {
        match &self.kind {
            StateKind::Task(task) => Some(&task.next),
            StateKind::Pass(pass) => Some(&pass.next),
            StateKind::Wait(wait) => Some(&wait.next),
            StateKind::Parallel(parallel) => Some(&parallel.next),
            StateKind::Map(map) => Some(&map.next),
            StateKind::Choice(_) | StateKind::Succeed(_) | StateKind::Fail(_) => None,
        }
    }
}

/// Says where a state leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transition {
    /// To another state of the same machine.
    Next(StateName),
    /// Out of the machine.
    End,
}

/// Is a number that a definition states or looks up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit<N = u64> {
    /// Stated.
    Fixed(N),
    /// Looked up in the state's input when it is entered.
    Path(DataPath),
    /// Computed when the state is entered.
    Query(Query),
}

/// Is a text that a definition states or looks up.
#[derive(Clone, Debug)]
pub enum TextSource {
    /// Stated.
    Fixed(Arc<str>),
    /// Looked up in the state's input.
    Path(DataPath),
    /// Computed from the state's input.
    Intrinsic(Arc<Intrinsic>),
    /// Computed, in JSONata.
    Query(Query),
}

/// Is a Task state.
#[derive(Clone, Debug)]
pub struct Task {
    /// What is called.
    pub resource: Resource,
    /// The role to call it with.
    pub credentials: Option<Payload>,
    /// How long the task may take, in seconds.
    pub timeout: Option<Limit>,
    /// How long the task may be silent, in seconds.
    pub heartbeat: Option<Limit>,
    /// What is tried again.
    pub retry: Vec<Retrier>,
    /// What is caught.
    pub catch: Vec<Catcher>,
    /// Where it leads.
    pub next: Transition,
}

/// Is a Pass state.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The fixed result as compact text; without it the effective input is the result.
    pub result: Option<JsonText>,
    /// Where it leads.
    pub next: Transition,
}

/// Is a Choice state.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The rules, of which the first that holds decides.
    pub choices: Vec<ChoiceRule>,
    /// The state to go on with if none does; without it that is `States.NoChoiceMatched`.
    pub default: Option<StateName>,
}

/// Is one rule of a Choice state.
#[derive(Clone, Debug)]
pub struct ChoiceRule {
    /// When it holds.
    pub condition: Condition,
    /// What leaves the state then, in JSONata; without it the input.
    pub output: Option<QueryTemplate>,
    /// The variables that are set then.
    pub assign: Assignment,
    /// The state to go on with then.
    pub next: StateName,
}

/// Is a Wait state.
#[derive(Clone, Debug)]
pub struct Wait {
    /// Until when.
    pub until: WaitUntil,
    /// Where it leads.
    pub next: Transition,
}

/// Says until when a Wait state waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WaitUntil {
    /// So many seconds from its entry.
    Seconds(u64),
    /// As many seconds as the input says.
    SecondsPath(DataPath),
    /// Until an instant.
    Timestamp(Timestamp),
    /// Until the instant that the input says.
    TimestampPath(DataPath),
    /// As many seconds as an expression gives.
    SecondsQuery(Query),
    /// Until the instant that an expression gives.
    TimestampQuery(Query),
}

/// Is a Succeed state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Succeed {}

/// Is a Fail state.
#[derive(Clone, Debug)]
pub struct Fail {
    /// The error name.
    pub error: Option<TextSource>,
    /// The explanation.
    pub cause: Option<TextSource>,
}

/// Is a Parallel state.
#[derive(Clone, Debug)]
pub struct Parallel {
    /// What runs at the same time, in the order of the results.
    pub branches: Vec<Arc<Machine>>,
    /// What is tried again.
    pub retry: Vec<Retrier>,
    /// What is caught.
    pub catch: Vec<Catcher>,
    /// Where it leads.
    pub next: Transition,
}

/// Is a Map state.
#[derive(Clone, Debug)]
pub struct Map {
    /// What runs for each item.
    pub item_processor: Arc<Machine>,
    /// Whether the iterations are branches of this execution or executions of their own.
    pub mode: ProcessorMode,
    /// Where the items are; `$` by default. `None` (written `null`) is `{}`, which is no array.
    pub items_path: Option<DataPath>,
    /// The items, in JSONata; without them the state's input.
    pub items: Option<QueryTemplate>,
    /// What each iteration gets as its input (`$$.Map.Item` is the item); without it the item. The old name of this
    /// field is `Parameters`.
    pub item_selector: Option<Payload>,
    /// How many iterations run at once; 0 is as many as there are. Default 0.
    pub max_concurrency: Limit,
    /// How many items may fail.
    pub tolerated_failure_count: Option<Limit>,
    /// How many of a hundred items may fail, from 0 to 100.
    pub tolerated_failure_percentage: Option<Limit<f64>>,
    /// How items are read from elsewhere.
    pub reader: Option<ItemReader>,
    /// Whether the results are written away (`ResultWriter`), so that its own result only tells where.
    pub writes_results: bool,
    /// What its Map Runs are called after (distributed mode only).
    pub label: Option<String>,
    /// What is tried again.
    pub retry: Vec<Retrier>,
    /// What is caught.
    pub catch: Vec<Catcher>,
    /// Where it leads.
    pub next: Transition,
}

/// Says how the iterations of a Map state run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessorMode {
    /// As branches of the execution.
    #[default]
    Inline,
    /// As executions of their own, of this type.
    Distributed(ChildType),
}

/// Is the type of the executions that run the items of a Map in distributed mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChildType {
    /// As StartExecution starts them.
    #[default]
    Standard,
    /// For many short ones.
    Express,
}
