//! Disks that are small, full or not to be written to.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use e2e::{Api, Handlers, PATIENCE, lambda};
use serde_json::{Value, json};
use support::{DataDir, eventually, http_get, skipped};

use crate::dev::{Dev, refusal};

/// Is a small disk of its own in a folder; unmounted when dropped.
struct Disk(PathBuf);

impl Disk {
    /// Mounts it; nothing where that is not allowed.
    fn mount(folder: &Path, options: &str) -> Option<Self> {
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).output();
        mounted.is_ok_and(|output| output.status.success()).then(|| Self(folder.to_owned()))
    }

    /// Leaves so many bytes free.
    fn fill(&self, left: u64) -> Result<()> {
        let (mut file, chunk) = (File::create(self.0.join("filler"))?, [1; 4096]);
        while file.write_all(&chunk).is_ok() {}
        let size = file.metadata()?.len().saturating_sub(left);
        Ok(file.set_len(size)?)
    }

    fn make_room(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.0.join("filler"))?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

fn one_task() -> Value {
    json!({ "StartAt": "A", "States": { "A": { "Type": "Task", "Resource": lambda("Echo"), "End": true } } })
}

#[tokio::test]
async fn a_full_disk_refuses_writes_loses_nothing_and_goes_on_when_there_is_room() -> Result<()> {
    let folder = DataDir::new("dev-disk")?;
    let Some(disk) = Disk::mount(folder.path(), "size=24m") else {
        skipped("a full disk: no tmpfs can be mounted here");
        return Ok(());
    };
    let mut dev = Dev::start_in(folder, Handlers::good(1_500)?).await?;
    let api = dev.api()?;
    let machine = api.create("echo", &one_task()).await?;
    let activity = api.ask("CreateActivity", &json!({ "name": "a" })).await?["activityArn"].clone();
    let arn = api.start(&machine, "before", &json!({ "a": 1 })).await?;
    disk.fill(500_000)?;
    refused(&api, &machine, &arn, &activity).await?;
    let seen = api.ask("DescribeStateMachine", &json!({ "stateMachineArn": machine })).await?;
    ensure!(seen["name"] == "echo", "reading goes on: {seen}");
    let metrics = format!("http://{}/metrics", dev.ops()?);
    let is_first_report = |line: &str| line.starts_with("driver_reports_total") && line.ends_with(" 1");
    let is_reported =
        || async { http_get(&metrics).await.is_ok_and(|answer| answer.body.lines().any(is_first_report)) };
    eventually(PATIENCE, is_reported, "the task is reported on, which can't be kept now").await?;
    ensure!(api.status(&arn).await? == "RUNNING");
    ensure!(dev.running.output().contains("nothing is written until there is room"), "{}", dev.running.output());
    disk.make_room()?;
    api.ended(&arn, "SUCCEEDED").await?;
    let again = || async { api.start(&machine, "after", &json!({})).await.is_ok() };
    eventually(PATIENCE, again, "executions are started again").await?;
    dev.cut().await?;
    let ended = api.ended(&arn, "SUCCEEDED").await?;
    let output: Value = serde_json::from_str(ended["output"].as_str().context("no output")?)?;
    ensure!(output == json!({ "a": 1 }), "{ended}");
    Ok(())
}

/// Every write is answered with 503.
async fn refused(api: &Api, machine: &str, execution: &str, activity: &Value) -> Result<()> {
    let role = "arn:aws:iam::123456789012:role/r";
    let definition = one_task().to_string();
    for (operation, request) in [
        ("CreateStateMachine", json!({ "name": "new", "definition": definition, "roleArn": role })),
        ("UpdateStateMachine", json!({ "stateMachineArn": machine, "roleArn": "arn:aws:iam::123456789012:role/s" })),
        ("TagResource", json!({ "resourceArn": machine, "tags": [{ "key": "k", "value": "v" }] })),
        ("CreateActivity", json!({ "name": "b" })),
        ("DeleteActivity", json!({ "activityArn": activity })),
        ("StartExecution", json!({ "stateMachineArn": machine, "name": "new" })),
        ("StopExecution", json!({ "executionArn": execution })),
        ("DeleteStateMachine", json!({ "stateMachineArn": machine })),
    ] {
        let reply = api.try_call(operation, &request).await?;
        ensure!((reply.status, reply.error()) == (503, "ServiceUnavailable"), "{operation}: {}", reply.text);
    }
    Ok(())
}

#[tokio::test]
async fn a_folder_that_can_t_be_written_to_is_refused_by_name() -> Result<()> {
    Dev::build().await?;
    let said = refusal(Path::new("")).await?;
    ensure!(said.contains("--data"), "{said}");
    let folder = DataDir::new("dev-read-only")?;
    let Some(_disk) = Disk::mount(folder.path(), "ro") else {
        skipped("a folder that is read-only: no tmpfs can be mounted here");
        return Ok(());
    };
    let name = folder.path().to_str().context("is text")?.to_owned();
    let said = refusal(folder.path()).await?;
    ensure!(said.contains("--data") && said.contains(&name) && said.contains("Read-only"), "{said}");
    Ok(())
}
