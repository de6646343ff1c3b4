//! Child processes of handlers: how they start, end, and what they leave behind.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::Failure;

/// How much of the end of its error output a failed child is quoted with: a stack trace fits, and so does the cause in
/// AWS's limit of 32,768 characters even if every byte is escaped.
pub(crate) const STDERR_QUOTED: usize = 4096;

/// Is how to start a child. Two that are equal may share one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CommandLine {
    /// The program and its arguments; never empty.
    pub(crate) argv: Vec<String>,
    pub(crate) folder: PathBuf,
    pub(crate) env: BTreeMap<String, String>,
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.argv.join(" "))
    }
}

impl CommandLine {
    /// Starts a child in a process group of its own, with all three streams piped.
    pub(crate) fn start(&self, more: &[(&str, String)]) -> io::Result<Started> {
        let (program, arguments) = self.argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).process_group(0).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
            command.env_remove(name);
        }
        command.envs(more.iter().map(|(name, value)| (name, value))).envs(&self.env);
        let child = command.spawn()?;
        let group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
        Ok(Started { child, group })
    }

    /// Tells why it could not be started.
    pub(crate) fn not_started(&self, error: &io::Error) -> Failure {
        let message = format!("start {:?} in {}: {error}", self.argv, self.folder.display());
        Failure::new("Runtime.InvalidEntrypoint", message)
    }
}

/// Tells whether a variable is a setting of the worker, which may hold a password and concerns no handler.
fn is_setting(name: &std::ffi::OsStr) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("STEPWELL_") && name.contains("__"))
}

/// Is a process group. Killing it when it has ended does nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group(Option<Pid>);

impl Group {
    pub(crate) fn kill(self) {
        if let Some(group) = self.0 {
            // It fails only if nothing of the group is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Is a running child. Dropping it kills its process group.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) child: Child,
    group: Group,
}

impl Started {
    pub(crate) fn group(&self) -> Group {
        self.group
    }

    /// Waits until the child has ended, and kills what it left running in its group: it may hold the pipes open.
    pub(crate) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await;
        self.group.kill();
        self.group = Group(None);
        status
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.group.kill();
    }
}

/// Tells how a child ended: `exit status 3: no such order`.
pub(crate) fn exit_text(status: &io::Result<ExitStatus>, stderr: &[u8]) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    let ended = match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit status {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown status".to_owned(),
        },
        Err(error) => format!("an unknown status ({error})"),
    };
    let stderr = String::from_utf8_lossy(stderr);
    let said = stderr.trim();
    if said.is_empty() { ended } else { format!("{ended}: {said}") }
}

/// Keeps the end of what was written, for [`exit_text`].
#[derive(Debug, Default)]
pub(crate) struct Tail(Vec<u8>);

impl Tail {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        let over = self.0.len().saturating_sub(STDERR_QUOTED);
        self.0.drain(..over);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Reads to the end, keeping the tail. A read error is an end.
pub(crate) async fn read_tail(mut from: impl AsyncRead + Unpin, mut each: impl FnMut(&[u8])) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        each(&buffer[..read]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_bounded() {
        let mut tail = Tail::default();
        tail.push(&[b'a'; 3000]);
        tail.push(&[b'b'; 3000]);
        assert_eq!(tail.bytes().len(), STDERR_QUOTED);
        assert!(tail.bytes().ends_with(&[b'b'; 3000]));
    }

    #[test]
    fn settings_are_not_passed_on() {
        for (name, expect) in [("STEPWELL_AMQP__URL", true), ("STEPWELL_MODE", false), ("HOME", false)] {
            assert_eq!(is_setting(name.as_ref()), expect, "{name}");
        }
    }
}
