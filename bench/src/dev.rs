//! `stepwell dev`: API, coordinator and worker in one process on a store in a file.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use support::{DataDir, Program, eventually, free_port};

use crate::client::Client;
use crate::process::{Usage, usage};
use crate::stepwell::{self, Alone, Throughput};

/// Is how many tasks the execution has that is run alone.
pub(crate) const TASKS_ALONE: usize = 3;

/// How long it may take to listen.
const START_MAX: Duration = Duration::from_secs(60);

/// Is what the measurement came to.
pub(crate) struct Dev {
    /// How long it takes from the start of the program on an empty folder until it listens.
    pub(crate) start: Duration,
    /// Executions of five tasks.
    pub(crate) throughput: Throughput,
    /// Executions of three tasks, one after the other.
    pub(crate) alone: Alone,
    /// What the process and its handler's used during the first.
    pub(crate) used: Usage,
}

/// Starts it on an empty folder and measures it.
pub(crate) async fn measure(executions: usize, open_max: usize, alone: usize) -> Result<Dev> {
    Program::build(["cli"]).await?;
    let folder = DataDir::new("bench-dev")?;
    let program = std::env::current_exe()?;
    let program = program.to_str().context("the program's path isn't UTF-8")?;
    // A child that stays: it costs a line each way, as most handlers do.
    let handlers = format!("[[handler]]\nfunction = \"echo\"\nprocess = [{program:?}, \"echo\"]\n");
    std::fs::write(folder.file("handlers.toml"), handlers)?;
    let (api, ops) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    let running = Program::command("stepwell")?.arg("dev").arg("--listen").arg(&api).arg("--ops-listen").arg(&ops);
    let running = running.arg("--data").arg(folder.path().join("data"));
    let started = Instant::now();
    let running = running.arg("--handlers").arg(folder.file("handlers.toml")).start()?;
    while !running.output().contains("Stepwell listens on") {
        ensure!(running.status()?.is_none() && started.elapsed() < START_MAX, "{}", running.output());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let start = started.elapsed();
    let client = Client::new(format!("http://{api}"), format!("http://{ops}"));
    let ready = eventually(Duration::from_secs(60), || client.is_ready(), "stepwell dev is ready").await;
    ready.with_context(|| running.output())?;
    stepwell::throughput(&client, executions / 20, open_max).await?;
    let before = usage(running.pid())?;
    let throughput = stepwell::throughput(&client, executions, open_max).await?;
    let mut used = usage(running.pid())?;
    used.cpu_seconds -= before.cpu_seconds;
    let alone = stepwell::alone(&client, alone, TASKS_ALONE).await?;
    Ok(Dev { start, throughput, alone, used })
}

/// Answers each task with its input: the handler of the measurement, as a process.
pub(crate) fn echo() -> Result<()> {
    use std::io::{BufRead as _, Write as _};
    let (stdin, mut stdout) = (std::io::stdin().lock(), std::io::stdout().lock());
    for line in stdin.lines() {
        let task: Task = serde_json::from_str(&line?)?;
        let answer = Answer { id: task.id, output: task.input };
        serde_json::to_writer(&mut stdout, &answer)?;
        stdout.write_all(b"\n")?;
        stdout.flush()?;
    }
    Ok(())
}

#[derive(serde::Deserialize)]
struct Task {
    id: String,
    input: Box<serde_json::value::RawValue>,
}

#[derive(serde::Serialize)]
struct Answer {
    id: String,
    output: Box<serde_json::value::RawValue>,
}
