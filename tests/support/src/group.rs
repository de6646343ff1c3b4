//! A process group that ends with us.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::wait::poll_blocking;

/// Reads words until the pipe's end. `dead`: the group has ended, don't kill it. `gone`: nothing is left to do.
/// The end without `gone` means that the starter died: then the group is killed and its folder removed.
const WATCHDOG: &str = r#"
trap '' INT TERM HUP
group=$1
while read -r word; do
    case $word in
        dead) group= ;;
        gone) exit 0 ;;
    esac
done
[ -z "$group" ] || kill -s KILL -- "-$group" 2>/dev/null
[ -n "$2" ] || exit 0
for try in 1 2 3 4 5; do
    rm -rf -- "$2" 2>/dev/null && exit 0
    sleep 0.2
done
"#;

/// A child process with all processes that it starts, killed when this value is dropped, and also when this
/// process ends without dropping it (a `static`, a panic while panicking, `SIGKILL`).
#[derive(Debug)]
pub struct ProcessGroup {
    leader: Child,
    watchdog: Child,
    pipe: Option<ChildStdin>,
    status: Option<ExitStatus>,
}

impl ProcessGroup {
    /// Starts the command as leader of a new group, with nothing on its standard input. `data` is the folder
    /// that is removed if this process ends without dropping the group.
    ///
    /// # Errors
    /// If the command or `sh` can't be started.
    pub fn spawn(command: &mut Command, data: Option<&Path>) -> io::Result<Self> {
        let leader = command.stdin(Stdio::null()).process_group(0).spawn()?;
        let mut watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(leader.id().to_string())
            .arg(data.unwrap_or(Path::new("")))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let pipe = watchdog.stdin.take();
        Ok(Self { leader, watchdog, pipe, status: None })
    }

    /// Gives the process id of the leader.
    pub fn pid(&self) -> u32 {
        self.leader.id()
    }

    /// Gives how the leader ended, or `None` while it runs.
    ///
    /// # Errors
    /// If the system refuses to tell.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.leader.try_wait()?;
            if self.status.is_some() {
                self.end_group();
            }
        }
        Ok(self.status)
    }

    /// Sends SIGTERM to the leader. Does nothing if it has ended.
    ///
    /// # Errors
    /// If the system refuses the signal.
    pub fn terminate(&mut self) -> io::Result<()> {
        self.signal(Signal::TERM)
    }

    /// Stops the leader (SIGSTOP) as a machine that hangs would: its connections stay open. Does nothing if
    /// it has ended.
    ///
    /// # Errors
    /// If the system refuses the signal.
    pub fn freeze(&mut self) -> io::Result<()> {
        self.signal(Signal::STOP)
    }

    /// Lets a frozen leader go on (SIGCONT).
    ///
    /// # Errors
    /// If the system refuses the signal.
    pub fn thaw(&mut self) -> io::Result<()> {
        self.signal(Signal::CONT)
    }

    /// Blocks until the leader has ended, or until the time is over: then `None`.
    ///
    /// # Errors
    /// If the system refuses to tell.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Option<ExitStatus>> {
        poll_blocking(timeout, || self.status().transpose()).transpose()
    }

    /// Kills every process of the group (SIGKILL) and reaps the leader. May be called twice.
    pub fn kill(&mut self) {
        if self.status.is_none() {
            self.end_group();
            self.status = self.leader.wait().ok();
        }
    }

    /// Kills what the leader left. At no later time: its number could by then be another's.
    fn end_group(&mut self) {
        let _ = kill_process_group(self.leader_pid(), Signal::KILL);
        self.tell_watchdog(b"dead\n");
    }

    fn tell_watchdog(&mut self, word: &[u8]) {
        if let Some(pipe) = &mut self.pipe {
            let _ = pipe.write_all(word);
        }
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        match self.status()? {
            Some(_) => Ok(()),
            None => Ok(kill_process(self.leader_pid(), signal)?),
        }
    }

    fn leader_pid(&self) -> Pid {
        Pid::from_child(&self.leader)
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.kill();
        self.tell_watchdog(b"gone\n");
        drop(self.pipe.take());
        let _ = self.watchdog.wait();
    }
}
