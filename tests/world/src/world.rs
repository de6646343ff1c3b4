//! The model.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use asl::Definition;
use engine::{
    Branch, Callback, Completion, Effect, Event, Execution, Limits, Moment, Outcome, Outstanding, Phase, Rejected, Run,
    Timer, invariants,
};
use model::{
    AttemptId, BranchPath, EventId, EventRef, ExecutionEnd, HistoryEvent, JsonText, Nonce, ScopeKey, Timestamp,
};

use crate::size;

/// 2026-01-02T03:04:05.000Z.
pub const START: Timestamp = Timestamp::from_millis(1_767_323_045_000);

/// Is the join record of a scope.
#[derive(Clone, Debug, Default)]
pub struct Join {
    /// The completions, in their order.
    pub list: Vec<Completion>,
    /// The outputs of the children that succeeded, by index.
    pub results: BTreeMap<u32, JsonText>,
    /// All items of a Map.
    pub items: Vec<JsonText>,
    /// How many completions the parent has taken.
    pub taken: usize,
}

/// Is something that may happen next.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// A branch goes on.
    Proceed(BranchPath),
    /// A parent looks at its children.
    Wake(ScopeKey),
    /// A worker takes a work item.
    Item(BranchPath, AttemptId),
    /// A timer fires, at the instant when it is due.
    Timer(BranchPath, Timer, Timestamp),
}

/// Is what a handler does with an item.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It reports these outcomes, each so many milliseconds after the one before.
    Reports(Vec<(i64, Outcome)>),
    /// It never reports.
    Silence,
}

/// Is one execution with all that surrounds it.
pub struct World {
    /// What runs.
    pub definition: Definition,
    /// What is known of the execution.
    pub execution: Execution,
    /// The bounds.
    pub limits: Limits,
    /// The clock.
    pub now: Timestamp,
    /// The open branches.
    pub branches: BTreeMap<BranchPath, Branch>,
    /// The join records of the open scopes.
    pub joins: BTreeMap<ScopeKey, Join>,
    /// What was committed.
    pub history: Vec<HistoryEvent>,
    /// The timers that stand.
    pub timers: BTreeMap<(BranchPath, Timer), Timestamp>,
    /// The work items that lie about.
    pub items: VecDeque<(BranchPath, AttemptId)>,
    /// The branches that can go on.
    pub runnable: VecDeque<BranchPath>,
    /// The scopes whose parents are to look at their children.
    pub wakes: VecDeque<ScopeKey>,
    /// The work items that workers were told to stop.
    pub cancelled: Vec<(BranchPath, AttemptId)>,
    /// How the execution ended.
    pub end: Option<ExecutionEnd>,
    /// How many commits there were.
    pub commits: u32,
    /// The most bytes of payload that one commit wrote: records, events, results, items.
    pub bytes_max: usize,
    /// The most records that one commit wrote.
    pub records_max: usize,
    /// How many branches one commit closes.
    pub closed_at_once: usize,
    listed: BTreeSet<BranchPath>,
    shut: BTreeSet<ScopeKey>,
    seed: u64,
}

impl World {
    /// Starts an execution of a definition, given as text.
    pub fn start(definition: &str, input: &str, limits: Limits, seed: u64) -> Self {
        Self::start_without(Vec::new(), definition, input, limits, seed)
    }

    /// Starts an execution while these activities don't exist.
    pub fn start_without(
        missing_activities: Vec<String>,
        definition: &str,
        input: &str,
        limits: Limits,
        seed: u64,
    ) -> Self {
        let definition = Definition::parse(definition).unwrap_or_else(|wrong| panic!("{wrong:?} in {definition}"));
        let input = JsonText::parse(input).expect("is JSON");
        Self::start_parsed(missing_activities, definition, input, limits, seed)
    }

    /// Starts an execution of a definition that was parsed before.
    pub fn start_parsed(
        missing_activities: Vec<String>,
        definition: Definition,
        input: JsonText,
        limits: Limits,
        seed: u64,
    ) -> Self {
        let execution = Execution {
            arn: "arn:aws:states:us-east-1:123456789012:execution:Machine:run-1".into(),
            name: "run-1".into(),
            state_machine_arn: "arn:aws:states:us-east-1:123456789012:stateMachine:Machine".into(),
            state_machine_name: "Machine".into(),
            role_arn: "arn:aws:iam::123456789012:role/r".into(),
            region: "us-east-1".into(),
            input,
            started_at: START,
            redrive_count: Some(0),
            seed: Nonce(seed),
            missing_activities,
            map_run: None,
        };
        let mut world = Self {
            definition,
            execution,
            limits,
            now: START,
            branches: BTreeMap::new(),
            joins: BTreeMap::new(),
            history: Vec::new(),
            timers: BTreeMap::new(),
            items: VecDeque::new(),
            runnable: VecDeque::new(),
            wakes: VecDeque::new(),
            cancelled: Vec::new(),
            end: None,
            commits: 0,
            bytes_max: 0,
            records_max: 0,
            seed,
            closed_at_once: usize::MAX,
            listed: BTreeSet::new(),
            shut: BTreeSet::new(),
        };
        let moment = world.moment();
        let run = engine::start(&world.definition, &world.execution, moment, &world.limits);
        world.commit(None, run);
        world
    }

    /// Lists what may happen next; timers only if nothing else can.
    pub fn happenings(&self) -> Vec<Happening> {
        let mut happenings: Vec<Happening> = self.runnable.iter().cloned().map(Happening::Proceed).collect();
        happenings.extend(self.wakes.iter().cloned().map(Happening::Wake));
        happenings.extend(self.items.iter().cloned().map(|(branch, attempt)| Happening::Item(branch, attempt)));
        happenings
    }

    /// Finds the timer that is due first.
    pub fn next_timer(&self) -> Option<Happening> {
        let first = self.timers.iter().min_by_key(|(key, due)| (**due, (*key).clone()));
        first.map(|((branch, timer), due)| Happening::Timer(branch.clone(), *timer, *due))
    }

    /// Runs in a fixed order until the execution ends or nothing is left to happen.
    pub fn finish(&mut self, mut answer: impl FnMut(&str, &Branch) -> Answer) {
        for _ in 0..100_000 {
            if self.end.is_some() {
                return;
            }
            let Some(happening) = self.happenings().into_iter().next().or_else(|| self.next_timer()) else {
                return;
            };
            self.happen(happening, &mut answer);
        }
        panic!("the execution does not end");
    }

    /// Lets something happen; workers answer as `answer` says, given the resource and the branch.
    pub fn happen(&mut self, happening: Happening, answer: &mut dyn FnMut(&str, &Branch) -> Answer) {
        match happening {
            Happening::Proceed(path) => {
                self.runnable.retain(|other| *other != path);
                match self.branches.get(&path).and_then(Branch::open_scope).map(|phase| phase.scope.clone()) {
                    Some(scope) => self.wake(&scope),
                    None => self.apply(&path, Event::Proceed).expect("a runnable branch goes on"),
                }
            }
            Happening::Wake(scope) => {
                self.wakes.retain(|other| *other != scope);
                self.wake(&scope);
            }
            Happening::Item(path, attempt) => {
                self.items.retain(|other| *other != (path.clone(), attempt));
                self.work(&path, attempt, answer);
            }
            Happening::Timer(path, timer, due) => {
                self.now = self.now.max(due);
                self.timers.remove(&(path.clone(), timer));
                self.fire(&path, timer);
            }
        }
    }

    fn fire(&mut self, path: &BranchPath, timer: Timer) {
        if timer == Timer::Execution {
            self.close(engine::timed_out());
            return;
        }
        self.apply(path, Event::Timer { timer }).expect("a timer that stands is not stale");
    }

    /// Closes the execution from outside.
    pub fn close(&mut self, end: ExecutionEnd) {
        let closing = engine::close_execution(end, self.moment());
        self.append(&closing.history);
        self.end = Some(closing.end);
        self.branches.clear();
    }

    fn work(&mut self, path: &BranchPath, attempt: AttemptId, answer: &mut dyn FnMut(&str, &Branch) -> Answer) {
        let Some(branch) = self.branches.get(path).cloned() else { return };
        let Phase::Task(task) = &branch.phase else { return };
        if task.attempt != attempt {
            return;
        }
        let Answer::Reports(reports) = answer(&task.resource, &branch) else { return };
        for (delay, outcome) in reports {
            let started_at = Some(self.now);
            self.now = self.now.plus_millis(delay);
            let callback = callback_of(&task.resource, &outcome);
            let applied = match callback {
                Some(callback) => self.apply(path, Event::Callback { attempt, callback }),
                None => self.report(path, attempt, started_at, outcome),
            };
            applied.expect("the attempt is open");
        }
    }

    /// Lets a worker report.
    ///
    /// # Errors
    /// `Rejected` if the branch takes no such report now.
    pub fn report(
        &mut self,
        path: &BranchPath,
        attempt: AttemptId,
        started_at: Option<Timestamp>,
        outcome: Outcome,
    ) -> Result<(), Rejected> {
        let worker = Some("w1".to_owned());
        self.apply(path, Event::Report { attempt, started_at, worker, outcome })
    }

    /// Wakes the branch whose scope it is, with what the join record holds.
    pub fn wake(&mut self, scope: &ScopeKey) {
        let (Some(join), Some(branch)) = (self.joins.get(scope), self.branches.get(&scope.branch)) else { return };
        let Some(phase) = branch.open_scope().filter(|phase| phase.scope == *scope) else { return };
        let completions = join.list[join.taken..].to_vec();
        let failed = completions.iter().any(|found| matches!(found.result, engine::ChildResult::Failed(_)));
        let all = usize::try_from(phase.total).is_ok_and(|total| join.results.len() == total);
        let results = all.then(|| join.results.values().cloned().collect());
        let started = usize::try_from(phase.started).expect("fits");
        let items = join.items.iter().skip(started).take(256).cloned().collect();
        let within = |branch: &&Branch| failed && branch.path.is_within(scope);
        let mut open: Vec<Branch> = self.branches.values().filter(within).cloned().collect();
        let more_open = open.len() > self.closed_at_once;
        open.drain(..open.len().saturating_sub(self.closed_at_once));
        self.listed = open.iter().map(|branch| branch.path.clone()).collect();
        let event = Event::Children { scope: scope.clone(), completions, results, items, open, more_open };
        match self.apply(&scope.branch.clone(), event) {
            Ok(()) | Err(Rejected::Unchanged) => {}
            Err(rejected) => panic!("{rejected}"),
        }
    }

    /// Applies an event to a branch and commits what comes of it.
    ///
    /// # Errors
    /// `Rejected` if the event changes nothing; as the store refuses it, also within a shut scope.
    pub fn apply(&mut self, path: &BranchPath, event: Event) -> Result<(), Rejected> {
        if self.is_shut(path) {
            return Err(Rejected::Stale);
        }
        let branch = self.branches.get(path).cloned().ok_or(Rejected::Stale)?;
        let (moment, base) = (self.moment(), self.base());
        let run = engine::run(&self.definition, &self.execution, branch, event, moment, &self.limits, base)?;
        self.commit(Some(path), run);
        Ok(())
    }

    /// Gives the id of the last event.
    pub fn base(&self) -> EventId {
        EventId(u64::try_from(self.history.len()).expect("fits"))
    }

    /// Gives the time, and a seed that was not given before.
    pub fn moment(&mut self) -> Moment {
        self.seed = self.seed.wrapping_add(1);
        Moment { at: self.now, seed: Nonce(self.seed) }
    }

    fn commit(&mut self, driven: Option<&BranchPath>, run: Run) {
        invariants::run(&run).unwrap_or_else(|violation| panic!("{violation}"));
        assert!(self.end.is_none(), "nothing is written after the end");
        let base = self.base();
        assert!(run.assumed_base.is_none_or(|assumed| assumed == base));
        self.commits += 1;
        self.bytes_max = self.bytes_max.max(size::bytes(&run));
        self.records_max = self.records_max.max(size::records(&run));
        self.append(&run.history);
        for scope in &run.closed {
            self.close_scope(scope);
        }
        if let Some(scope) = run.shut {
            let listed = std::mem::take(&mut self.listed);
            self.shut_scope(scope, &listed);
        }
        if let Some(path) = driven {
            self.branches.remove(path);
            self.runnable.retain(|other| other != path);
        }
        for mut branch in run.branch.into_iter().chain(run.children) {
            branch.settle(base);
            assert!(self.branches.insert(branch.path.clone(), branch).is_none(), "a path is used once");
        }
        for opened in run.opened {
            let join = Join { items: opened.items, ..Join::default() };
            assert!(self.joins.insert(opened.key, join).is_none(), "a scope is opened once");
        }
        for result in run.inline_results {
            let join = self.joins.get_mut(&result.scope).expect("the scope is open");
            assert!(join.results.insert(result.index, result.output).is_none(), "a child ends once");
        }
        if let Some((scope, taken)) = run.taken {
            self.joins.get_mut(&scope).expect("the scope is open").taken = usize::try_from(taken).expect("fits");
        }
        if let Some(mut entry) = run.joined {
            entry.completion.last_event = entry.completion.last_event.resolved(base);
            let join = self.joins.get_mut(&entry.scope).expect("the scope is open");
            if let Some(output) = entry.output {
                assert!(join.results.insert(entry.completion.index, output).is_none(), "a child ends once");
            }
            join.list.push(entry.completion);
            if !self.wakes.contains(&entry.scope) {
                self.wakes.push_back(entry.scope);
            }
        }
        self.end = run.end;
        for effect in run.effects {
            self.effect(effect);
        }
        self.check();
    }

    fn effect(&mut self, effect: Effect) {
        match effect {
            Effect::DispatchWorkItem { branch, attempt } => self.items.push_back((branch, attempt)),
            Effect::ScheduleTimer { branch, timer, due } => {
                self.timers.insert((branch, timer), due);
            }
            Effect::CancelTimer { branch, timer } => {
                self.timers.remove(&(branch, timer));
            }
            Effect::CancelWork { branch, attempt } => self.cancelled.push((branch, attempt)),
            Effect::ContinueRun { branch } => {
                if !self.runnable.contains(&branch) {
                    self.runnable.push_back(branch);
                }
            }
        }
    }

    /// Lets nothing happen within a scope any more, and closes these branches of it.
    fn shut_scope(&mut self, scope: ScopeKey, listed: &BTreeSet<BranchPath>) {
        self.branches.retain(|path, _| !listed.contains(path));
        self.timers.retain(|(path, _), _| !path.is_within(&scope));
        self.items.retain(|(path, _)| !path.is_within(&scope));
        self.runnable.retain(|path| !path.is_within(&scope));
        self.joins.retain(|key, _| !listed.contains(&key.branch));
        self.wakes.retain(|key| !key.branch.is_within(&scope));
        self.shut.insert(scope);
    }

    fn is_shut(&self, path: &BranchPath) -> bool {
        self.shut.iter().any(|scope| path.is_within(scope))
    }

    fn close_scope(&mut self, scope: &ScopeKey) {
        self.branches.retain(|path, _| !path.is_within(scope));
        self.timers.retain(|(path, _), _| !path.is_within(scope));
        self.items.retain(|(path, _)| !path.is_within(scope));
        self.runnable.retain(|path| !path.is_within(scope));
        self.joins.retain(|key, _| key != scope && !key.branch.is_within(scope));
        self.wakes.retain(|key| key != scope && !key.branch.is_within(scope));
    }

    fn append(&mut self, events: &[engine::NewEvent]) {
        let base = self.base();
        for event in events {
            let id = EventId(u64::try_from(self.history.len()).expect("fits") + 1);
            let previous = event.previous.resolve(base);
            assert!(previous < id, "an event follows from an older one");
            let at = self.history.last().map_or(event.at, |last| last.at.max(event.at));
            let (kind, details) = (event.kind, event.details.clone());
            self.history.push(HistoryEvent { id, previous, at, kind, details });
        }
    }

    /// Checks that the committed state implies just what is outstanding.
    fn check(&self) {
        let mut timers: BTreeMap<(BranchPath, Timer), Timestamp> = BTreeMap::new();
        let mut runnable = BTreeSet::new();
        for branch in self.branches.values().filter(|branch| !self.is_shut(&branch.path)) {
            invariants::branch(branch).unwrap_or_else(|violation| panic!("{violation}"));
            assert!(!matches!(branch.last_event, EventRef::New(_)), "references are settled");
            timers
                .extend(engine::timers_of(branch).into_iter().map(|(timer, due)| ((branch.path.clone(), timer), due)));
            match engine::outstanding(branch) {
                Outstanding::Run => {
                    runnable.insert(branch.path.clone());
                }
                Outstanding::Children => {
                    let scope = &branch.open_scope().expect("it waits for children").scope;
                    let open = self.branches.keys().any(|path| path.is_within(scope));
                    assert!(open || self.wakes.contains(scope), "{} waits for nobody", branch.path);
                }
                Outstanding::WorkItem(_)
                | Outstanding::Redispatch(_)
                | Outstanding::Token(_)
                | Outstanding::Timer(_) => {}
            }
        }
        if self.end.is_some() {
            return;
        }
        assert!(!self.branches.is_empty(), "an open execution has an open branch");
        let standing: BTreeMap<_, _> = self
            .timers
            .iter()
            .filter(|((_, timer), _)| *timer != Timer::Execution)
            .map(|(key, due)| (key.clone(), *due))
            .collect();
        assert_eq!(standing, timers, "the timers are those implied");
        assert_eq!(self.runnable.iter().cloned().collect::<BTreeSet<_>>(), runnable, "what can go on does");
        for key in self.joins.keys() {
            let waits =
                self.branches.get(&key.branch).and_then(Branch::open_scope).is_some_and(|phase| phase.scope == *key);
            assert!(waits, "a scope {key} is left behind");
        }
    }
}

/// A worker of an activity ends its task by the task token.
fn callback_of(resource: &str, outcome: &Outcome) -> Option<Callback> {
    if !resource.contains(":activity:") {
        return None;
    }
    match outcome {
        Outcome::Succeeded { output } => Some(Callback::Succeeded { output: output.clone() }),
        Outcome::Failed { error, cause } => Some(Callback::Failed { error: error.clone(), cause: cause.clone() }),
        Outcome::Started
        | Outcome::Heartbeat
        | Outcome::Holding { .. }
        | Outcome::Unhandled
        | Outcome::Submitted { .. } => None,
    }
}
