//! One process of a cluster, which may be killed and started again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use support::{HttpAnswer, Program, eventually, http_get};

use crate::PATIENCE;

/// How long a process may take to end in order: its grace period and some.
const STOP_PATIENCE: Duration = Duration::from_secs(60);

/// Is a coordinator or a worker. It keeps its ports and settings when it is started again.
#[derive(Debug)]
pub struct Member {
    program: &'static str,
    variables: Vec<(String, String)>,
    ops: String,
    running: Program,
    past: String,
}

impl Member {
    /// Starts the program with these variables; `ops` is the URL of its ops port. Doesn't wait for it.
    ///
    /// # Errors
    /// If it isn't built or can't be started.
    pub fn start(program: &'static str, variables: Vec<(String, String)>, ops: String) -> Result<Self> {
        let running = launch(program, &variables)?;
        Ok(Self { program, variables, ops, running, past: String::new() })
    }

    /// Waits until it says that it is ready and lacks nothing.
    ///
    /// # Errors
    /// If it doesn't, or ends before.
    pub async fn ready(&self) -> Result<()> {
        let ready = || async {
            let is_ready = self.readiness().await.is_ok_and(|answer| answer.status == 200 && answer.body == "ok\n");
            is_ready || self.is_running().is_ok_and(|running| !running)
        };
        eventually(PATIENCE, ready, &format!("{} is ready", self.program)).await.with_context(|| self.last_lines())?;
        ensure!(self.is_running()?, "it ended instead of being ready: {}", self.last_lines());
        Ok(())
    }

    /// Asks it whether it is ready.
    ///
    /// # Errors
    /// If its ops port doesn't answer.
    pub async fn readiness(&self) -> Result<HttpAnswer> {
        http_get(&format!("{}/readyz", self.ops)).await
    }

    /// Kills it as a power cut would.
    pub fn kill9(&self) {
        self.running.kill9();
    }

    /// Freezes it: its connections stay open, and nothing moves until [`Self::thaw`].
    ///
    /// # Errors
    /// If the system refuses.
    pub fn freeze(&self) -> Result<()> {
        self.running.freeze()
    }

    /// Lets it go on after [`Self::freeze`], as if no time had passed.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn thaw(&self) -> Result<()> {
        self.running.thaw()
    }

    /// Starts it again after its end, with the same ports.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start_again(&mut self) -> Result<()> {
        self.past.push_str(&self.running.output());
        self.running = launch(self.program, &self.variables)?;
        Ok(())
    }

    /// Ends it by SIGTERM.
    ///
    /// # Errors
    /// If it doesn't end in time or not with exit code 0.
    pub async fn stop(&self) -> Result<()> {
        self.running.terminate()?;
        let status = self.running.wait(STOP_PATIENCE).await?;
        ensure!(status.success(), "{} ended with {status} after SIGTERM:\n{}", self.program, self.output());
        Ok(())
    }

    /// Tells whether it runs.
    ///
    /// # Errors
    /// If the system refuses to tell.
    pub fn is_running(&self) -> Result<bool> {
        Ok(self.running.status()?.is_none())
    }

    /// Gives its process id.
    pub fn pid(&self) -> u32 {
        self.running.pid()
    }

    /// Gives the sum of a metric's series, of those whose labels contain `label`; 0 if there is none.
    ///
    /// # Errors
    /// If its ops port doesn't answer.
    pub async fn metric(&self, name: &str, label: &str) -> Result<f64> {
        let answer = http_get(&format!("{}/metrics", self.ops)).await?;
        ensure!(answer.status == 200, "/metrics gave {}: {}", answer.status, answer.body);
        Ok(sum(&answer.body, name, label))
    }

    /// Gives the metrics that it exports, each as `NAME KIND`; a counter's name ends in `_total`.
    ///
    /// # Errors
    /// If the ops port doesn't answer.
    pub async fn metrics(&self) -> Result<BTreeSet<String>> {
        let answer = http_get(&format!("{}/metrics", self.ops)).await?;
        let kinds = answer.body.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        Ok(kinds.map(|line| line.replace(" counter", "_total counter")).collect())
    }

    /// Gives all that it printed, over all its starts.
    pub fn output(&self) -> String {
        self.past.clone() + &self.running.output()
    }

    /// Checks that it never panicked, in none of its threads.
    ///
    /// # Errors
    /// If it did; the message has the line.
    pub fn check_log(&self) -> Result<()> {
        let output = self.output();
        let panic = output.lines().find(|line| line.contains("panicked at"));
        ensure!(panic.is_none(), "{} panicked: {}", self.program, panic.unwrap_or_default());
        Ok(())
    }

    /// Gives the last lines of its log, for the message of a failed test.
    pub fn last_lines(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        let from = lines.len().saturating_sub(25);
        format!("--- {} (process {})\n{}\n", self.program, self.pid(), lines[from..].join("\n"))
    }
}

fn launch(program: &'static str, variables: &[(String, String)]) -> Result<Program> {
    let mut command = Program::command(program)?;
    for (name, value) in variables {
        command = command.env(name, value);
    }
    command.start().with_context(|| format!("start {program}"))
}

fn sum(page: &str, name: &str, label: &str) -> f64 {
    let series = page.lines().filter_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let rest = series.strip_prefix(name)?;
        let fits = (rest.is_empty() || rest.starts_with('{')) && rest.contains(label);
        fits.then(|| value.parse::<f64>().ok()).flatten()
    });
    series.sum()
}

#[cfg(test)]
mod tests {
    use super::sum;

    #[test]
    fn series_are_summed() {
        let page = "# HELP a_total x\na_total{end=\"x\"} 2\na_total{end=\"y\"} 3\na_total_other 9\nb 1\n";
        let check =
            |name, label, expect: f64| assert!((sum(page, name, label) - expect).abs() < 1e-9, "{name} {label}");
        check("a_total", "", 5.0);
        check("a_total", "end=\"y\"", 3.0);
        check("b", "", 1.0);
        check("c", "", 0.0);
    }
}
