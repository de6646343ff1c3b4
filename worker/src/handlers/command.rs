//! The kind `command`: a process a task. JSON on its stdin, JSON on its stdout.

use futures::future::BoxFuture;
use model::JsonText;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::child::{CommandLine, Group, Tail, exit_text, read_tail};
use super::limit::{Bounds, too_large};
use super::{Answer, Call, Handler};
use crate::Failure;
use crate::failure::error_type;

/// Starts a process for each task.
pub(crate) struct Command {
    pub(crate) line: CommandLine,
    /// The answer that is bounded is what a process writes to its stdout.
    pub(crate) bounds: Bounds,
}

impl Handler for Command {
    fn run(&self, call: Call) -> BoxFuture<'_, Answer> {
        Box::pin(async move { self.bounds.hold(&call.context, self.execute(&call)).await })
    }
}

impl Command {
    async fn execute(&self, call: &Call) -> Result<JsonText, Failure> {
        let mut started = self.line.start(&variables(call)).map_err(|error| self.line.not_started(&error))?;
        let group = started.group();
        let (stdin, stdout, stderr) =
            (started.child.stdin.take(), started.child.stdout.take(), started.child.stderr.take());
        let write = async {
            if let Some(mut stdin) = stdin {
                // A process may end without having read its input.
                let _ = stdin.write_all(call.input.as_str().as_bytes()).await;
                let _ = stdin.write_all(b"\n").await;
            }
        };
        let read = async {
            match stdout {
                Some(stdout) => read_capped(stdout, self.bounds.output_bytes_max, group).await,
                None => Some(Vec::new()),
            }
        };
        let mut tail = Tail::default();
        let complain = async {
            if let Some(stderr) = stderr {
                read_tail(stderr, |bytes| tail.push(bytes)).await;
            }
        };
        let (status, output, (), ()) = tokio::join!(started.wait(), read, complain, write);
        let Some(output) = output else { return Err(too_large(self.bounds.output_bytes_max)) };
        let output = std::str::from_utf8(&output);
        if status.as_ref().is_ok_and(std::process::ExitStatus::success) {
            return read_output(output);
        }
        let object = output.ok().map(str::trim).filter(|text| error_type(text).is_some());
        Err(match object {
            Some(object) => Failure::from_object(JsonText::trusted(object)),
            None => Failure::new("Runtime.ExitError", exit_text(&status, tail.bytes())),
        })
    }
}

fn variables(call: &Call) -> [(&'static str, String); 7] {
    [
        ("STEPWELL_EXECUTION", call.context.execution().as_str().to_owned()),
        ("STEPWELL_BRANCH", call.context.branch().to_string()),
        ("STEPWELL_ATTEMPT", call.context.attempt().to_string()),
        ("STEPWELL_STATE", call.context.state().to_owned()),
        ("STEPWELL_FUNCTION", call.function.as_deref().unwrap_or_default().to_owned()),
        ("STEPWELL_ROLE_ARN", call.context.role_arn().unwrap_or_default().to_owned()),
        ("TRACEPARENT", call.context.traceparent().to_owned()),
    ]
}

fn read_output(output: Result<&str, std::str::Utf8Error>) -> Result<JsonText, Failure> {
    let wrong = |reason: String| Failure::new("Runtime.MarshalError", format!("read stdout as JSON: {reason}"));
    let text = output.map_err(|error| wrong(error.to_string()))?;
    let raw: &serde_json::value::RawValue = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    Ok(JsonText::from_raw(raw))
}

/// Reads to the end. At more than `bytes_max` it kills the group and gives nothing.
async fn read_capped(mut from: impl AsyncRead + Unpin, bytes_max: usize, group: Group) -> Option<Vec<u8>> {
    let mut output = Vec::new();
    // A read error is an end: the exit status tells the rest.
    while let Ok(1..) = from.read_buf(&mut output).await {
        if output.len() > bytes_max {
            group.kill();
            return None;
        }
    }
    Some(output)
}
