//! `stepwell run`: one execution in this process, coordinator and worker inside, on the memory twins.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, bail};
use asl::Definition;
use broker::SharedQueue;
use broker::memory::MemoryBroker;
use coordinator::api::{Api, ApiSettings};
use coordinator::definitions::hash_of;
use coordinator::driver::{DriverSettings, Drivers, Parts, Progress as Commit, StartOutcome, StartRequest};
use model::{
    EventId, ExecutionArn, ExecutionEnd, ExecutionStatus, HistoryEvent, JsonText, StateMachineArn, StateMachineStatus,
};
use runtime::Runtime;
use serde_json::json;
use store::{HistoryQuery, MemoryStore, OwnerId, SharedStore};
use telemetry::Registry;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use wire::record::StateMachineRecord;
use worker::{Aws, Stopper, Worker};

use crate::RunArguments;
use crate::progress::{Progress, seconds};

/// Is the account of the one execution; nobody else sees it.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
/// One execution needs no partitions; a few keep the ordinary paths in use.
const PARTITIONS: u32 = 4;
const EVENTS_QUEUES: u32 = 1;

/// Runs the execution that was asked for; the exit code tells whether it succeeded.
///
/// # Errors
/// What kept it from being started, in words for a person.
pub(crate) async fn command(arguments: &RunArguments) -> Result<ExitCode> {
    telemetry::init("warn", Some(false))?;
    let definition = read_definition(&arguments.file)?;
    let input = read_input(&arguments.input)?;
    check_size(&input)?;
    let handlers = arguments.handlers.clone().or_else(|| beside(&arguments.file, "handlers.toml"));
    let place = Place::start(handlers.as_deref())?;
    let commits = place.drivers.stored.subscribe();
    let arn = place.execute(&arguments.file, definition, input).await?;
    let mut progress = Progress::new();
    let end = place.follow(&arn, commits, &mut progress).await?;
    progress.finish(&last_line(&end));
    place.stop().await;
    print(arguments.json, &arn, &end)?;
    let succeeded = end.end.status == ExecutionStatus::Succeeded;
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Is what is known at the end.
struct Ended {
    end: ExecutionEnd,
    millis: u64,
    events: usize,
}

/// Is the small world of the one execution.
pub(crate) struct Place {
    pub(crate) runtime: Runtime,
    pub(crate) store: SharedStore,
    pub(crate) drivers: Drivers,
    stopper: Stopper,
    worker: runtime::Task,
    _api: Api,
}

impl Place {
    /// Starts it, with the handlers of a file.
    ///
    /// # Errors
    /// What is wrong with the handlers.
    pub(crate) fn start(handlers: Option<&Path>) -> Result<Self> {
        let runtime = Runtime::system();
        let store: SharedStore = Arc::new(MemoryStore::new(runtime.clone(), PARTITIONS));
        let broker = MemoryBroker::new(runtime.clone(), EVENTS_QUEUES);
        let queue: SharedQueue = Arc::new(broker.handle(runtime.clone()));
        let builder = Worker::builder(Arc::new(broker), runtime.clone()).name("stepwell");
        let builder = builder.aws(Aws::of_process()?);
        let builder = match handlers {
            Some(file) => builder.handlers_file(file),
            None => builder,
        };
        let worker = builder.build().map_err(|error| in_words(error, handlers))?;
        let registry = Registry::new();
        let drivers = Drivers::new(Parts {
            store: Arc::clone(&store),
            queue,
            runtime: runtime.clone(),
            // Nobody can listen to a broker within the process.
            settings: DriverSettings { notify: false, ..DriverSettings::default() },
            owner: OwnerId("stepwell".into()),
            registry: registry.clone(),
        });
        // Tasks may call the service itself, though nobody else does.
        let api =
            Api::new(runtime.clone(), ApiSettings { account: ACCOUNT.to_owned(), ..ApiSettings::default() }, &registry);
        api.attach(Arc::clone(&store), drivers.clone());
        drivers.start();
        let stopper = worker.stopper();
        let worker = runtime.spawn(worker.run());
        Ok(Self { runtime, store, drivers, stopper, worker, _api: api })
    }

    async fn execute(&self, file: &Path, definition: String, input: JsonText) -> Result<ExecutionArn> {
        let machine = StateMachineRecord {
            arn: StateMachineArn::new(REGION, ACCOUNT, &machine_name(file)),
            hash: hash_of(&definition),
            definition: definition.into(),
            role_arn: format!("arn:aws:iam::{ACCOUNT}:role/stepwell"),
            kind: "STANDARD".to_owned(),
            status: StateMachineStatus::Active,
            created_at: self.runtime.now(),
            revision_id: None,
            updated_at: None,
            tags: Vec::new(),
            logging: None,
            tracing: None,
            encryption: None,
            publication: None,
        };
        self.store.create_state_machine(&machine).await?;
        let request = StartRequest::new(machine, self.runtime.uuid(), input);
        match self.drivers.stored.start_execution(request).await? {
            StartOutcome::Started { arn, .. } => Ok(arn),
            StartOutcome::Exists(head) => bail!("an execution named {} exists", head.record.arn),
        }
    }

    /// Shows the history as it is committed, until the execution has ended. Commits of concurrent branches may be told out of
    /// order, and a slow terminal may miss some: what is missing is read from the store.
    async fn follow(
        &self,
        arn: &ExecutionArn,
        mut commits: Receiver<Arc<Commit>>,
        show: &mut Progress,
    ) -> Result<Ended> {
        let mut waiting = BTreeMap::new();
        let mut next = EventId(1);
        loop {
            while let Some(event) = waiting.remove(&next) {
                show.show(&event);
                next = EventId(next.0 + 1);
                if event.kind.is_terminal() {
                    return self.ended(arn, next).await;
                }
            }
            let events: Vec<HistoryEvent> = match commits.recv().await {
                Ok(commit) if commit.execution == *arn => commit.events.clone(),
                Ok(_) => Vec::new(),
                Err(RecvError::Lagged(_)) => self.history(arn).await?,
                Err(RecvError::Closed) => bail!("the coordinator has stopped"),
            };
            waiting.extend(events.into_iter().filter(|event| event.id >= next).map(|event| (event.id, event)));
        }
    }

    async fn history(&self, arn: &ExecutionArn) -> Result<Vec<HistoryEvent>> {
        let query = HistoryQuery { cursor: None, limit: usize::MAX / 2, reverse: false };
        Ok(self.store.history(arn, query).await?.events)
    }

    async fn ended(&self, arn: &ExecutionArn, next: EventId) -> Result<Ended> {
        let head = self.store.execution(arn).await?.context("find the execution")?;
        let (end, at) = head.end.context("find the end of the execution")?;
        let events = usize::try_from(next.0 - 1)?;
        Ok(Ended { end, millis: at.millis_since(head.record.started_at), events })
    }

    /// Has the worker end its children, so that no handler outlives this program.
    pub(crate) async fn stop(self) {
        self.drivers.stop();
        self.stopper.stop();
        let _ = self.worker.join().await;
        self.runtime.kill();
    }
}

fn read_definition(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read the definition {}", file.display()))?;
    let Err(diagnostics) = Definition::parse(&text) else { return Ok(text) };
    let lines: Vec<String> = diagnostics.iter().map(|diagnostic| format!("\n  {diagnostic}")).collect();
    bail!("{} is not a valid definition:{}", file.display(), lines.concat())
}

/// Reads an input that was given as JSON or as @FILE.
pub(crate) fn read_input(argument: &str) -> Result<JsonText> {
    let text = read_argument(argument)?;
    JsonText::parse(&text).map_err(|error| {
        let fault = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        anyhow!("--input is not JSON ({fault}); give JSON or @FILE")
    })
}

/// Refuses an input that the API would refuse.
fn check_size(input: &JsonText) -> Result<()> {
    let (bytes, most) = (input.len() as u64, ApiSettings::default().payload_bytes_max);
    if bytes > most {
        bail!("--input has {bytes} bytes: the largest payload of an execution has {most}");
    }
    Ok(())
}

/// Reads an argument that is a text, or @FILE.
///
/// # Errors
/// A file that can't be read.
pub(crate) fn read_argument(argument: &str) -> Result<String> {
    match argument.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("read the file {file}")),
        None => Ok(argument.to_owned()),
    }
}

/// Finds a file beside another.
pub(crate) fn beside(file: &Path, name: &str) -> Option<PathBuf> {
    let path = file.parent()?.join(name);
    path.is_file().then_some(path)
}

/// Makes a name that AWS would take from that of the file.
fn machine_name(file: &Path) -> String {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let name = name.split('.').next().unwrap_or_default();
    let allowed = |character: char| character.is_ascii_alphanumeric() || character == '-' || character == '_';
    let name: String = name.chars().map(|c| if allowed(c) { c } else { '-' }).take(80).collect();
    if name.is_empty() { "workflow".to_owned() } else { name }
}

fn in_words(error: worker::BuildError, handlers: Option<&Path>) -> anyhow::Error {
    let file = handlers.map(|file| format!("use the handlers file {}", file.display()));
    anyhow::Error::new(error).context(file.unwrap_or_else(|| "start the worker".to_owned()))
}

fn last_line(ended: &Ended) -> String {
    let Ended { end, millis, events } = ended;
    let summary = format!("{} in {}, {events} events", end.status.as_str(), seconds(*millis));
    match (&end.error, &end.cause) {
        (Some(error), Some(cause)) => format!("{summary}\n  {error}: {cause}"),
        (Some(text), None) | (None, Some(text)) => format!("{summary}\n  {text}"),
        (None, None) => summary,
    }
}

fn print(as_json: bool, arn: &ExecutionArn, ended: &Ended) -> Result<()> {
    let end = &ended.end;
    let mut stdout = io::stdout().lock();
    if as_json {
        let object = json!({
            "executionArn": arn.as_str(),
            "status": end.status.as_str(),
            "output": end.output.as_ref().map(JsonText::to_raw).transpose()?,
            "error": end.error,
            "cause": end.cause,
            "durationMillis": ended.millis,
            "events": ended.events,
        });
        writeln!(stdout, "{object}")?;
    } else if let Some(output) = &end.output {
        writeln!(stdout, "{output}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_named_after_their_file() {
        for (file, name) in [("a/workflow.asl.json", "workflow"), ("My Flow!.json", "My-Flow-"), (".json", "workflow")]
        {
            assert_eq!(machine_name(Path::new(file)), name);
        }
    }

    #[test]
    fn what_is_not_json_is_refused_with_the_fault() {
        let error = read_input("{\"a\":}").expect_err("is refused").to_string();
        assert!(error.contains("line 1 column 6") && error.contains("@FILE"), "{error}");
        assert_eq!(read_input(" {\"a\": 1.0} ").expect("is JSON").as_str(), "{\"a\": 1.0}");
    }

    #[tokio::test]
    async fn an_input_that_the_api_would_refuse_is_refused() {
        let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        let file =
            PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/order-processing/workflow.asl.json"));
        let arguments = RunArguments { file, input: text(256 * 1024 + 1), handlers: None, json: true };
        let error = command(&arguments).await.expect_err("is refused").to_string();
        assert_eq!(error, "--input has 262145 bytes: the largest payload of an execution has 262144");
        assert!(check_size(&JsonText::trusted(text(256 * 1024))).is_ok());
    }
}
