//! A run: the transitions of a branch, and of all children that it created on the way, until each blocks or ends.
//!
//! ```text
//!  event ─► driven branch ─► children created ─► each driven in turn ─► its end joined in memory ─► parent goes on ─► …
//! ```
//!
//! A child that fails in a scope which was open before the run can't be joined in memory: who closes a scope must list all
//! that is open in it. Such a child is put back to its start, and driven by a run of its own.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use asl::{Definition, StateName};
use model::{BranchPath, Details, EventId, EventKind, EventRef, ExecutionEnd, ExecutionStatus, JsonText, ScopeKey};

use crate::branch::{Branch, Execution, Phase};
use crate::children::{self, Joined};
use crate::event::{
    ChildResult, Completion, Effect, Event, InlineResult, JoinEntry, Leaving, Moment, OpenedScope, Rejected, Run, Timer,
};
use crate::invariants;
use crate::limits::Limits;
use crate::outstanding;
use crate::step::advance;
use crate::turn::{After, BranchEnd, Turn, Yield};

/// Begins an execution: makes the root branch and runs it to its first block.
pub fn start(definition: &Definition, execution: &Execution, moment: Moment, limits: &Limits) -> Run {
    let mut turn = Turn::new(definition, execution, limits, moment, EventId(0));
    started(&mut turn);
    let root = root(definition.machine.start_at(), execution, moment);
    let mut runner = Runner::new(turn, None, Some(root));
    if let Some(millis) = longest_millis(definition, limits) {
        let due = execution.started_at.plus_millis(i64::try_from(millis).unwrap_or(i64::MAX));
        let effect = Effect::ScheduleTimer { branch: BranchPath::root(), timer: Timer::Execution, due };
        runner.nodes[0].effects.push(effect);
    }
    runner.drive(0);
    runner.finish()
}

/// Tells how long the execution may take: as its definition says, and its limits.
fn longest_millis(definition: &Definition, limits: &Limits) -> Option<u64> {
    let defined = definition.timeout_seconds.map(|seconds| seconds.saturating_mul(1_000));
    [defined, limits.execution_millis_max].into_iter().flatten().min()
}

/// Records that the execution has begun.
pub(crate) fn started(turn: &mut Turn<'_>) {
    let Execution { role_arn, .. } = turn.execution;
    let details = Details::ExecutionStarted { input: first_input(turn.execution), role_arn: role_arn.clone() };
    turn.emit(EventRef::NONE, EventKind::ExecutionStarted, details);
}

/// Gives what the first state gets. A Map Run has its order beside: it may be large, and nobody looks at it as an input.
fn first_input(execution: &Execution) -> JsonText {
    if execution.map_run.is_some() { JsonText::trusted("{}") } else { execution.input.clone() }
}

/// Makes the root branch, about to enter its first state.
pub(crate) fn root(start_at: &StateName, execution: &Execution, moment: Moment) -> Branch {
    Branch {
        path: BranchPath::root(),
        location: Vec::new(),
        state: start_at.clone(),
        entry: 0,
        attempts: 0,
        input: first_input(execution),
        entered_at: moment.at,
        entered_event: EventRef::NONE,
        before_entered: EventRef::NONE,
        last_event: EventRef::NONE,
        retries: Vec::new(),
        retry_count: 0,
        item: None,
        variables: std::sync::Arc::default(),
        phase: Phase::Ready,
    }
}

/// Applies an event to a branch and runs it, with the children that it creates, until all block or end or a bound is met.
///
/// `base` is the last event committed, as far as is known; a run that prints an id counted from it says so in
/// [`Run::assumed_base`].
///
/// # Errors
/// `Rejected` if the event changes nothing: the branch is as it was.
pub fn run(
    definition: &Definition,
    execution: &Execution,
    branch: Branch,
    event: Event,
    moment: Moment,
    limits: &Limits,
    base: EventId,
) -> Result<Run, Rejected> {
    let mut turn = Turn::new(definition, execution, limits, moment, base);
    let foreign = branch.open_scope().map(|phase| phase.scope.clone());
    let before = branch.clone();
    let (items, any_taken) = match &event {
        Event::Children { items, completions, .. } => (items.clone(), !completions.is_empty()),
        Event::Proceed | Event::Report { .. } | Event::Callback { .. } | Event::Timer { .. } => (Vec::new(), false),
    };
    let first_item = branch.open_scope().map_or(0, |phase| phase.started);
    let after = advance(&mut turn, branch, event)?;
    let mut runner = Runner::new(turn, Some(before), None);
    runner.nodes[0].scope = foreign.map(|key| OpenScope::opened_before(key, items, first_item));
    runner.transitions = 1;
    let created = runner.absorb(0, after);
    if runner.in_foreign_scope(0) {
        runner.drive_foreign(created);
        runner.note_taken(any_taken);
        runner.drive(0);
    } else {
        runner.drive_all(0, created);
    }
    Ok(runner.finish())
}

/// Is a branch of the run: the driven one, or a child created by the run.
struct Node {
    /// Nothing once it ended or was cut off.
    branch: Option<Branch>,
    /// The bytes of payload in its record.
    bytes: u64,
    end: Option<BranchEnd>,
    parent: Option<usize>,
    scope: Option<OpenScope>,
    effects: Vec<Effect>,
}

/// Is the scope that a branch of the run waits in.
struct OpenScope {
    key: ScopeKey,
    /// Whether it was open before the run.
    foreign: bool,
    items: Vec<JsonText>,
    /// The index of the first of the items.
    first_item: u32,
    /// The outputs of children that began and ended within the run, by index.
    results: BTreeMap<u32, JsonText>,
    /// The bytes of what the run writes of it: items where it opened the scope, and results.
    bytes: u64,
}

impl OpenScope {
    fn opened_before(key: ScopeKey, items: Vec<JsonText>, first_item: u32) -> Self {
        Self { key, foreign: true, items, first_item, results: BTreeMap::new(), bytes: 0 }
    }

    fn opened_now(key: ScopeKey, items: Vec<JsonText>) -> Self {
        let bytes = items.iter().map(length).sum();
        Self { key, foreign: false, items, first_item: 0, results: BTreeMap::new(), bytes }
    }

    fn keep(&mut self, index: u32, output: JsonText) {
        self.bytes += length(&output);
        self.results.insert(index, output);
    }

    /// Counts the records that the run writes of it.
    fn records(&self) -> usize {
        self.results.len() + usize::from(!self.foreign)
    }
}

impl Node {
    fn new(branch: Option<Branch>, parent: Option<usize>) -> Self {
        let bytes = branch.as_ref().map_or(0, Branch::payload_bytes);
        Self { branch, bytes, end: None, parent, scope: None, effects: Vec::new() }
    }

    fn hold(&mut self, branch: Branch) {
        self.bytes = branch.payload_bytes();
        self.branch = Some(branch);
    }
}

struct Runner<'a> {
    turn: Turn<'a>,
    before: Option<Branch>,
    nodes: Vec<Node>,
    transitions: u32,
    closed: Vec<ScopeKey>,
    shut: Option<ScopeKey>,
    taken: Option<(ScopeKey, u32)>,
}

impl<'a> Runner<'a> {
    fn new(turn: Turn<'a>, before: Option<Branch>, branch: Option<Branch>) -> Self {
        let nodes = vec![Node::new(branch, None)];
        Self { turn, before, nodes, transitions: 0, closed: Vec::new(), shut: None, taken: None }
    }

    /// Drives a node and all that it creates until each blocks or ends.
    fn drive(&mut self, node: usize) {
        self.drive_all(node, Vec::new());
    }

    /// Drives a node and the given children of it. The queue is first in, first out, so that branches take turns as in AWS.
    fn drive_all(&mut self, top: usize, created: Vec<usize>) {
        let mut queue = VecDeque::from([top]);
        queue.extend(created);
        while let Some(node) = queue.pop_front() {
            while self.is_ready(node) && !self.is_exhausted() {
                self.proceed(node, &mut queue);
            }
            if node != top && self.nodes[node].end.is_some() {
                self.join(node, top, &mut queue);
            }
        }
    }

    fn proceed(&mut self, node: usize, queue: &mut VecDeque<usize>) {
        self.make_room();
        let Some(branch) = self.nodes[node].branch.take() else { return };
        self.transitions += 1;
        match advance(&mut self.turn, branch, Event::Proceed) {
            Ok(after) => queue.extend(self.absorb(node, after)),
            Err(_) => debug_assert!(false, "a ready branch can always be entered"),
        }
    }

    /// Joins the end of a child in memory, and puts what may go on now into the queue.
    fn join(&mut self, child: usize, top: usize, queue: &mut VecDeque<usize>) {
        let Some(parent) = self.nodes[child].parent else { return };
        let Some(end) = self.nodes[child].end.take() else { return };
        queue.extend(self.join_end(parent, end));
        // The top is in no scope of this drive, its end is its driver's business.
        if self.is_ready(parent) || (parent != top && self.nodes[parent].end.is_some()) {
            queue.push_back(parent);
        }
    }

    fn join_end(&mut self, parent: usize, end: BranchEnd) -> Vec<usize> {
        let (completion, output) = completion(&end);
        let phase = self.nodes[parent].branch.as_ref().and_then(Branch::open_scope);
        let failed = phase.is_some_and(|phase| children::cuts_off(phase, &completion));
        let Some(scope) = self.nodes[parent].scope.as_mut() else { return Vec::new() };
        if let Some(output) = output {
            scope.keep(completion.index, output);
        }
        let key = scope.key.clone();
        let open = if failed { self.cut_off(&key) } else { Vec::new() };
        // While the scope, with the result, still is where it counts.
        self.make_room();
        let (Some(branch), Some(scope)) = (self.nodes[parent].branch.clone(), self.nodes[parent].scope.take()) else {
            return Vec::new();
        };
        let started = branch.open_scope().map_or(0, |phase| phase.started);
        let skip = usize::try_from(started.saturating_sub(scope.first_item)).unwrap_or(usize::MAX);
        let results = all_results(&branch, &scope);
        let items = scope.items.get(skip..).unwrap_or_default();
        let joined = Joined { completions: vec![completion], taken: 0, results, items, open, more_open: false };
        let after = match self.turn.state(&branch) {
            Ok(state) => children::join(&mut self.turn, branch, state, joined),
            Err(rejected) => Err(rejected),
        };
        self.nodes[parent].scope = Some(scope);
        match after {
            Ok(after) => self.absorb(parent, after),
            Err(_) => {
                debug_assert!(false, "a parent waits for each of its children");
                Vec::new()
            }
        }
    }

    /// Takes the open branches within a scope out of the run.
    fn cut_off(&mut self, scope: &ScopeKey) -> Vec<Branch> {
        let within = |node: &&mut Node| node.branch.as_ref().is_some_and(|branch| branch.path.is_within(scope));
        let cut_off: Vec<Branch> = self
            .nodes
            .iter_mut()
            .filter(within)
            .filter_map(|node| {
                node.scope = None;
                node.effects.clear();
                node.branch.take()
            })
            .collect();
        for branch in cut_off.iter().filter(|branch| branch.phase != Phase::Ready) {
            if let Ok(state) = self.turn.state(branch) {
                self.turn.note_left(branch, state, Leaving::CutOff);
            }
        }
        cut_off
    }

    /// Notes what became of a node; gives the children created.
    fn absorb(&mut self, node: usize, after: After) -> Vec<usize> {
        let Yield { effects, children, opened, closed, shut } = std::mem::take(&mut self.turn.yielded);
        self.shut = self.shut.take().or(shut);
        let this = &mut self.nodes[node];
        this.effects.extend(effects);
        if let Some(key) = closed {
            if this.scope.take().is_some_and(|scope| scope.foreign) {
                self.closed.push(key.clone());
            }
            self.cut_off(&key);
        }
        let this = &mut self.nodes[node];
        if let Some(OpenedScope { key, items }) = opened {
            this.scope = Some(OpenScope::opened_now(key, items));
        }
        match after {
            After::Open(branch) => this.hold(*branch),
            After::Ended(end) => (this.branch, this.end) = (None, Some(end)),
        }
        let first = self.nodes.len();
        self.nodes.extend(children.into_iter().map(|branch| Node::new(Some(branch), Some(node))));
        (first..self.nodes.len()).collect()
    }

    /// Drives the children that the branch created in a scope which was open before the run.
    fn drive_foreign(&mut self, created: Vec<usize>) {
        let mut queue = VecDeque::from(created);
        while let Some(child) = queue.pop_front() {
            let start = self.nodes[child].branch.clone();
            let (history, bytes, assumed) = (self.turn.history.len(), self.turn.bytes, self.turn.assumed);
            let left = self.turn.left.len();
            let nodes = self.nodes.len();
            self.drive(child);
            let Some(end) = self.nodes[child].end.take() else { continue };
            if end.result.is_err() {
                self.turn.history.truncate(history);
                self.turn.left.truncate(left);
                (self.turn.bytes, self.turn.assumed) = (bytes, assumed);
                self.nodes.truncate(nodes);
                self.nodes[child] = Node::new(start, self.nodes[child].parent);
                continue;
            }
            queue.extend(self.join_end(0, end));
        }
    }

    fn note_taken(&mut self, any_taken: bool) {
        let phase = self.nodes[0].branch.as_ref().and_then(Branch::open_scope);
        self.taken =
            phase.filter(|phase| any_taken && !phase.cutting_off).map(|phase| (phase.scope.clone(), phase.taken));
    }

    fn in_foreign_scope(&self, node: usize) -> bool {
        self.nodes[node].scope.as_ref().is_some_and(|scope| scope.foreign)
    }

    fn is_ready(&self, node: usize) -> bool {
        self.nodes[node].branch.as_ref().is_some_and(|branch| branch.phase == Phase::Ready)
    }

    /// Tells whether the run has met one of its bounds.
    fn is_exhausted(&self) -> bool {
        let limits = &self.turn.limits.run;
        self.transitions >= limits.transitions.max(1)
            || self.turn.stopwatch.total() >= Duration::from_millis(limits.millis)
            || self.turn.bytes + self.held_bytes() >= limits.bytes
            || self.turn.history_is_nearly_full()
    }

    /// Counts the bytes of payload that the run writes beside the history. The record of the branch that it drives does not count: it is
    /// written in any case, and may be larger than the bound of a run.
    fn held_bytes(&self) -> u64 {
        let children = self.nodes.iter().skip(1).filter(|node| node.branch.is_some()).map(|node| node.bytes);
        let scopes = self.nodes.iter().filter_map(|node| node.scope.as_ref()).map(|scope| scope.bytes);
        children.chain(scopes).sum()
    }

    /// Tells the next transition how many children it may create, and how large the run is already.
    fn make_room(&mut self) {
        self.turn.stopwatch.begin_lap();
        self.turn.held_bytes = self.held_bytes();
        if self.is_exhausted() {
            self.turn.room = 0;
            return;
        }
        let open = self.nodes.iter().filter(|node| node.branch.is_some()).count();
        let scopes: usize = self.nodes.iter().filter_map(|node| node.scope.as_ref()).map(OpenScope::records).sum();
        let used = u32::try_from(open + scopes).unwrap_or(u32::MAX);
        self.turn.room = self.turn.limits.run.records.saturating_sub(used);
    }

    fn finish(mut self) -> Run {
        let root_end = self.nodes[0].end.take();
        let mut run = Run {
            branch: None,
            children: Vec::new(),
            history: self.turn.history,
            assumed_base: self.turn.assumed.then_some(self.turn.base),
            opened: Vec::new(),
            closed: self.closed,
            shut: self.shut,
            joined: None,
            inline_results: Vec::new(),
            taken: self.taken,
            end: None,
            effects: Vec::new(),
            left: self.turn.left,
        };
        if let Some(end) = root_end {
            let is_root = end.path.is_root();
            let is_timed = longest_millis(self.turn.definition, self.turn.limits).is_some();
            if is_root && is_timed && self.before.is_some() {
                run.effects.push(Effect::CancelTimer { branch: end.path.clone(), timer: Timer::Execution });
            }
            match end.path.parent_scope() {
                Some((scope, _)) => run.joined = Some(join_entry(scope, &end)),
                None => run.end = Some(execution_end(end)),
            }
        }
        for (index, node) in self.nodes.into_iter().enumerate() {
            let before = self.before.as_ref().filter(|_| index == 0);
            if before.is_none() && node.branch.is_none() {
                continue;
            }
            run.effects.extend(outstanding::effects(before, node.branch.as_ref(), node.effects));
            add_scope(&mut run, node.scope);
            match node.branch {
                Some(branch) if index == 0 => run.branch = Some(branch),
                Some(branch) => run.children.push(branch),
                None => {}
            }
        }
        debug_assert_eq!(invariants::run(&run), Ok(()));
        run
    }
}

fn add_scope(run: &mut Run, scope: Option<OpenScope>) {
    let Some(OpenScope { key, foreign, items, results, .. }) = scope else { return };
    let result = |(index, output)| InlineResult { scope: key.clone(), index, output };
    run.inline_results.extend(results.into_iter().map(result));
    if !foreign {
        run.opened.push(OpenedScope { key, items });
    }
}

/// Gives the results of all children in order, if they all began and ended within the run, the last one just now.
fn all_results(branch: &Branch, scope: &OpenScope) -> Option<Vec<JsonText>> {
    let phase = branch.open_scope()?;
    let all = usize::try_from(phase.total).is_ok_and(|total| scope.results.len() == total);
    all.then(|| scope.results.values().cloned().collect())
}

fn length(text: &JsonText) -> u64 {
    u64::try_from(text.len()).unwrap_or(u64::MAX)
}

fn completion(end: &BranchEnd) -> (Completion, Option<JsonText>) {
    let index = end.path.parent_scope().map_or(0, |(_, index)| index);
    let (result, output) = match &end.result {
        Ok(output) => {
            let bytes = u64::try_from(output.len()).unwrap_or(u64::MAX);
            (ChildResult::Succeeded { bytes, failed: end.failed_item }, Some(output.clone()))
        }
        Err(failure) => (ChildResult::Failed(failure.clone()), None),
    };
    (Completion { index, last_event: end.last_event, result }, output)
}

fn join_entry(scope: ScopeKey, end: &BranchEnd) -> JoinEntry {
    let (completion, output) = completion(end);
    JoinEntry { scope, completion, output }
}

fn execution_end(end: BranchEnd) -> ExecutionEnd {
    match end.result {
        Ok(output) => {
            ExecutionEnd { status: ExecutionStatus::Succeeded, output: Some(output), error: None, cause: None }
        }
        Err(failure) => {
            ExecutionEnd { status: ExecutionStatus::Failed, output: None, error: failure.error, cause: failure.cause }
        }
    }
}
