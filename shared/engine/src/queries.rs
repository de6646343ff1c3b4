//! What a state's JSONata expressions look at: `$states` and the variables.

use asl::{QueryScope, State};
use jsonata::{Bounds, Session, Stopwatch};
use model::JsonText;

use crate::branch::Branch;
use crate::chance;
use crate::context_object;
use crate::turn::Turn;

/// Is what a state's expressions look at. It is made only if one is evaluated, and then holds only what they name.
pub(crate) struct Queries<'a> {
    state: &'a State,
    branch: &'a Branch,
    result: Option<&'a JsonText>,
    error_output: Option<&'a JsonText>,
    context: Box<dyn Fn() -> JsonText + 'a>,
    moment: jsonata::Moment,
    stopwatch: Stopwatch,
    session: Option<Session>,
}

impl<'a> Queries<'a> {
    /// Makes the scope; `salt` tells the moments of one state entry apart.
    pub(crate) fn new(turn: &Turn<'a>, branch: &'a Branch, state: &'a State, salt: u32) -> Self {
        let (definition, execution) = (turn.definition, turn.execution);
        let attempt = context_object::next_attempt(turn.moment.seed, branch);
        let chance = chance::sequence(execution.seed, &branch.path, [branch.entry, salt]);
        Self {
            state,
            branch,
            result: None,
            error_output: None,
            context: match turn.given_context(branch) {
                Some(context) => Box::new(move || context.clone()),
                None => Box::new(move || context_object::render(definition, execution, branch, attempt)),
            },
            moment: jsonata::Moment { millis: turn.moment.at.as_millis(), seed: chance.draw() },
            stopwatch: turn.stopwatch.clone(),
            session: None,
        }
    }

    /// Adds `$states.result`.
    pub(crate) fn with_result(mut self, result: &'a JsonText) -> Self {
        self.result = Some(result);
        self
    }

    /// Adds `$states.errorOutput`.
    pub(crate) fn with_error_output(mut self, error_output: &'a JsonText) -> Self {
        self.error_output = Some(error_output);
        self
    }

    fn make(&self) -> Result<Session, String> {
        let uses = &self.state.uses;
        let context = uses.looks_at("context").then(|| (self.context)());
        let members = [
            ("input", Some(&self.branch.input)),
            ("result", self.result),
            ("errorOutput", self.error_output),
            ("context", context.as_ref()),
        ];
        let members: Vec<(&str, &str)> = members
            .into_iter()
            .filter(|(name, _)| uses.looks_at(name))
            .filter_map(|(name, text)| Some((name, text?.as_str())))
            .collect();
        let variables = self.branch.variables.iter().filter(|(name, _)| uses.variables.contains(name));
        let variables = variables.map(|(name, text)| (name.as_str(), text.as_str()));
        let session = Session::new(uses, self.moment, Bounds::default(), variables, &members);
        Ok(session.map_err(|error| error.to_string())?.timed_by(self.stopwatch.clone()))
    }
}

impl QueryScope for Queries<'_> {
    fn session(&mut self) -> Result<&mut Session, String> {
        let session = match self.session.take() {
            Some(session) => session,
            None => self.make()?,
        };
        Ok(self.session.insert(session))
    }
}
