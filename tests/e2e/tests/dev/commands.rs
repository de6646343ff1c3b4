//! The client commands, and what `stepwell dev` says to try.

use anyhow::{Context, Result, ensure};
use e2e::{Aws, PATIENCE};
use serde_json::{Value, json};
use support::{DataDir, Program, eventually, skipped};
use tokio::process::Command;

use crate::dev::Dev;

/// Runs `stepwell` and gives exit code, stdout and stderr.
async fn stepwell(dev: &Dev, words: &[&str]) -> Result<(Option<i32>, String, String)> {
    let mut command = Command::new(Program::command("stepwell")?.path());
    command.args(words).env("AWS_ENDPOINT_URL", format!("http://{}", dev.listen)).env_remove("AWS_ENDPOINT_URL_SFN");
    let output = command.env("AWS_ACCESS_KEY_ID", "123456789012").env("AWS_REGION", "us-east-1").output().await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok((output.status.code(), text(output.stdout), text(output.stderr)))
}

#[tokio::test]
async fn every_command_does_what_it_says() -> Result<()> {
    let dev = Dev::start(10).await?;
    let api = dev.api()?;
    let greets = json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "Result": "hi", "End": true } } });
    let waits = json!({ "StartAt": "W", "States": { "W": { "Type": "Wait", "Seconds": 3600, "End": true } } });
    api.create("greets", &greets).await?;
    api.create("waits", &waits).await?;

    let (code, stdout, stderr) = stepwell(&dev, &["start", "greets", "--input", "{}", "--wait"]).await?;
    ensure!(code == Some(0) && stdout.contains("\"hi\"") && stderr.contains("✓ A"), "{stdout}{stderr}");
    let (code, stdout, _) = stepwell(&dev, &["start", "waits"]).await?;
    let waiting = stdout.trim();
    ensure!(code == Some(0) && waiting.starts_with("arn:aws:states:"), "{stdout}");

    let (code, stdout, _) = stepwell(&dev, &["list"]).await?;
    ensure!(code == Some(0) && stdout.contains("greets") && stdout.contains("waits"), "{stdout}");
    let (_, stdout, _) = stepwell(&dev, &["list", "waits", "--status", "RUNNING"]).await?;
    ensure!(stdout.contains(waiting.rsplit(':').next().context("has a name")?), "{stdout}");
    let (_, stdout, _) = stepwell(&dev, &["list", "waits", "--status", "FAILED"]).await?;
    ensure!(!stdout.contains("RUNNING"), "{stdout}");

    let (code, stdout, stderr) = stepwell(&dev, &["stop", waiting, "--error", "Enough"]).await?;
    ensure!(code == Some(0), "{stdout}{stderr}");
    let (code, stdout, stderr) = stepwell(&dev, &["watch", waiting]).await?;
    ensure!(code == Some(1) && stderr.contains("ABORTED"), "{stdout}{stderr}");
    let (code, stdout, _) = stepwell(&dev, &["history", waiting]).await?;
    ensure!(code == Some(0) && stdout.contains("WaitStateEntered") && stdout.contains("Enough"), "{stdout}");
    let (_, stdout, _) = stepwell(&dev, &["history", waiting, "--json"]).await?;
    let events: Vec<Value> = stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(events.len() == 3 && events[2]["type"] == "ExecutionAborted", "{stdout}");

    let (code, _, stderr) = stepwell(&dev, &["stop", "arn:x"]).await?;
    ensure!(code == Some(2) && stderr.contains("InvalidArn"), "{stderr}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let (code, stdout, _) = stepwell(&dev, &["completions", shell]).await?;
        ensure!(code == Some(0) && stdout.contains("stepwell") && stdout.contains("validate"), "{shell}: {stdout}");
    }
    let (code, stdout, stderr) = stepwell(&dev, &["health", "--ready", "--ops-listen", &dev.ops()?]).await?;
    ensure!(code == Some(0), "{stdout}{stderr}");
    Ok(())
}

#[tokio::test]
async fn what_is_said_to_try_works_as_it_is_printed() -> Result<()> {
    let dev = Dev::start(10).await?;
    if Aws::find().is_none() {
        skipped("the commands that stepwell dev prints to try: there is no `aws` on PATH");
        return Ok(());
    }
    let said = dev.running.output();
    let lines: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("  ")).collect();
    ensure!(lines.len() == 4, "{said}");
    let program = Program::command("stepwell")?;
    let folder = program.path().parent().context("has a folder")?;
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let script = format!("set -e\n{}\n", lines.join("\n"));
    let output = Command::new("sh").args(["-c", &script]).env("PATH", path).env("AWS_PAGER", "").output().await?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{stdout}{stderr}");
    ensure!(stdout.contains("\"Hello!\"") && stdout.contains("SUCCEEDED"), "{stdout}{stderr}");
    Ok(())
}

#[tokio::test]
async fn handlers_are_taken_as_soon_as_their_file_is_there() -> Result<()> {
    let dev = Dev::start_without_handlers(DataDir::new("dev-late")?).await?;
    let api = dev.api()?;
    let task = json!({ "Type": "Task", "Resource": e2e::lambda("Cat"), "End": true });
    let machine = api.create("late", &json!({ "StartAt": "A", "States": { "A": task } })).await?;
    let arn = api.start(&machine, "one", &json!({ "a": 1 })).await?;
    let handlers = "[[handler]]\nfunction = \"Cat\"\ncommand = [\"cat\"]\n";
    std::fs::write(dev.folder.file("handlers.toml"), handlers)?;
    api.ended(&arn, "SUCCEEDED").await?;
    Ok(())
}

#[tokio::test]
async fn histories_are_logged_as_their_state_machines_ask() -> Result<()> {
    let dev = Dev::start(10).await?;
    let api = dev.api()?;
    let definition = json!({ "StartAt": "A", "States": { "A": { "Type": "Fail", "Error": "Broken" } } }).to_string();
    let group = "arn:aws:logs:us-east-1:123456789012:log-group:g:*";
    // Lines are in the order of the ends: once the last one's is there, those before are.
    for (name, level, with_data) in [
        ("ALL", "ALL", true),
        ("ERROR", "ERROR", false),
        ("FATAL", "FATAL", false),
        ("OFF", "OFF", true),
        ("LAST", "FATAL", false),
    ] {
        let logging = json!({
            "level": level, "includeExecutionData": with_data,
            "destinations": [{ "cloudWatchLogsLogGroup": { "logGroupArn": group } }],
        });
        let request = json!({
            "name": name, "definition": definition, "roleArn": "arn:aws:iam::123456789012:role/r",
            "loggingConfiguration": logging,
        });
        let machine = api.ask("CreateStateMachine", &request).await?["stateMachineArn"].clone();
        let arn = api.start(machine.as_str().context("is text")?, "one", &json!({ "secret": 7 })).await?;
        api.ended(&arn, "FAILED").await?;
    }
    let lines_of = |said: &str, machine: &str| -> Vec<String> {
        let arn = format!("execution:{machine}:one");
        let of_it = said.lines().filter(|line| line.contains("stepwell.history") && line.contains(&arn));
        of_it.map(str::to_owned).collect()
    };
    let is_last = async || lines_of(&dev.running.output(), "LAST").len() == 1;
    eventually(PATIENCE, is_last, "the last history is logged").await?;
    let said = dev.running.output();
    let lines = |machine: &str| lines_of(&said, machine);
    let all = lines("ALL");
    ensure!(all.len() == 3 && all[0].contains("secret"), "{said}");
    ensure!(lines("ERROR").len() == 2 && lines("FATAL").len() == 1 && lines("OFF").is_empty(), "{said}");
    ensure!(said.matches("secret").count() == all.iter().filter(|line| line.contains("secret")).count(), "{said}");
    let line: Value = serde_json::from_str(&all[2])?;
    let event: Value = serde_json::from_str(line["message"].as_str().context("is text")?)?;
    ensure!(event["type"] == "ExecutionFailed" && event["details"]["error"] == "Broken", "{event}");
    Ok(())
}
