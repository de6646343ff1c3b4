//! `stepwell dev` as a process of its own: killed with -9 again and again, started twice, on a damaged file, in a folder that can't be.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Api, Handlers, Orders, PATIENCE, note};
use serde_json::json;
use support::{DataDir, Program, eventually, free_port};

const ORDERS: usize = 100;

/// Is a `stepwell dev` that may be killed and started again on its folder.
struct Dev {
    folder: DataDir,
    handlers: Handlers,
    listen: String,
    running: Program,
}

impl Dev {
    async fn start(task_millis: u32) -> Result<Self> {
        Program::build(["cli"]).await?;
        let (folder, handlers) = (DataDir::new("dev")?, Handlers::good(task_millis)?);
        let listen = format!("127.0.0.1:{}", free_port());
        let running = launch(&folder, &handlers, &listen)?;
        let dev = Self { folder, handlers, listen, running };
        dev.listening().await?;
        Ok(dev)
    }

    fn api(&self) -> Result<Api> {
        Api::new(vec![format!("http://{}/", self.listen)])
    }

    async fn listening(&self) -> Result<()> {
        let says = || async { self.running.output().contains("Stepwell listens on") };
        eventually(PATIENCE, says, "stepwell dev listens").await.with_context(|| self.running.output())
    }

    /// Kills it as a power cut would, and starts it again.
    async fn cut(&mut self) -> Result<()> {
        self.running.kill9();
        self.running = launch(&self.folder, &self.handlers, &self.listen)?;
        self.listening().await
    }
}

fn launch(folder: &DataDir, handlers: &Handlers, listen: &str) -> Result<Program> {
    let command = Program::command("stepwell")?.arg("dev").arg("--listen").arg(listen);
    command.arg("--data").arg(folder.path()).arg("--handlers").arg(handlers.file()).start()
}

/// Runs it where it must refuse to start, and gives what it says.
async fn refusal(data: &std::path::Path) -> Result<String> {
    let program = Program::command("stepwell")?.arg("dev").arg("--listen").arg("127.0.0.1:0").arg("--data").arg(data);
    let program = program.start()?;
    let status = program.wait(PATIENCE).await?;
    ensure!(status.code() == Some(2), "it ended with {status}: {}", program.output());
    Ok(program.output())
}

#[tokio::test]
async fn killed_again_and_again_it_goes_on_with_every_order() -> Result<()> {
    let mut dev = Dev::start(100).await?;
    let orders = Orders::new(dev.api()?, ORDERS).await?;
    let trouble = async {
        for share in [5, 30, 60, 100] {
            orders.acknowledged(ORDERS * share / 100).await?;
            dev.cut().await?;
        }
        dev.cut().await
    };
    let ((), ()) = tokio::try_join!(orders.start(), trouble)?;
    orders.all_succeeded().await.with_context(|| dev.running.output())?;
    let before = orders.histories().await?;
    dev.cut().await?;
    ensure!(orders.histories().await? == before, "a history changed after its end");
    dev.running.terminate()?;
    let status = dev.running.wait(PATIENCE).await?;
    ensure!(status.success(), "after SIGTERM it ended with {status}: {}", dev.running.output());
    note(&format!("stepwell dev killed six times in the middle of {ORDERS} orders: all SUCCEEDED, none twice"));
    Ok(())
}

#[tokio::test]
async fn a_folder_has_one_process_at_a_time() -> Result<()> {
    let dev = Dev::start(10).await?;
    let said = refusal(dev.folder.path()).await?;
    ensure!(
        said.contains("in use by another process") && said.contains(&dev.folder.path().display().to_string()),
        "{said}"
    );
    let api = dev.api()?;
    let machine =
        api.create("still-there", &json!({ "StartAt": "A", "States": { "A": { "Type": "Succeed" } } })).await?;
    let arn = api.start(&machine, "one", &json!({})).await?;
    api.ended(&arn, "SUCCEEDED").await?;
    Ok(())
}

#[tokio::test]
async fn a_damaged_file_and_an_impossible_folder_are_refused_by_name() -> Result<()> {
    let mut dev = Dev::start(10).await?;
    let orders = Orders::new(dev.api()?, 20).await?;
    orders.start().await?;
    orders.all_succeeded().await?;
    dev.running.terminate()?;
    dev.running.wait(PATIENCE).await?;
    let file = dev.folder.file("stepwell.redb");
    let sound = std::fs::read(&file)?;
    let mut damaged = sound.clone();
    let pages = damaged.len() / 4096;
    for page in (2..pages).step_by(3) {
        damaged[page * 4096 + 100..][..64].fill(0xa5);
    }
    for (what, bytes) in [("damaged", &damaged[..]), ("cut off", &sound[..sound.len() / 3]), ("foreign", &b"hello"[..])]
    {
        std::fs::write(&file, bytes)?;
        let said = refusal(dev.folder.path()).await?;
        ensure!(said.contains("stepwell.redb") && said.contains("damaged"), "{what}: {said}");
    }
    std::fs::write(&file, &sound)?;
    dev.cut().await?;
    orders.all_succeeded().await?;
    let said = refusal(&file.join("below")).await?;
    ensure!(said.contains("make the folder") && said.contains("below"), "{said}");
    Ok(())
}

#[tokio::test]
async fn handlers_are_read_again_when_their_file_changes() -> Result<()> {
    let dev = Dev::start(10).await?;
    let api = dev.api()?;
    let task = |function: &str| {
        let resource = format!("arn:aws:lambda:us-east-1:123456789012:function:{function}");
        json!({ "StartAt": "A", "States": { "A": { "Type": "Task", "Resource": resource, "End": true } } })
    };
    let file = dev.handlers.file();
    let declared = std::fs::read_to_string(&file)?;
    std::fs::write(&file, "[[handler]]\nfunctoin = \"New\"\n")?;
    let warned = || async { dev.running.output().contains("the handlers stay as they were") };
    eventually(PATIENCE, warned, "a wrong file is warned of").await.with_context(|| dev.running.output())?;
    let echo = api.create("echo", &task("Echo")).await?;
    let arn = api.start(&echo, "one", &json!({ "a": 1 })).await?;
    api.ended(&arn, "SUCCEEDED").await?;
    std::fs::write(&file, format!("{declared}\n[[handler]]\nfunction = \"New\"\ncommand = [\"cat\"]\n"))?;
    let new = api.create("new", &task("New")).await?;
    let arn = api.start(&new, "one", &json!({ "a": 1 })).await?;
    let ended = tokio::time::timeout(Duration::from_secs(30), api.ended(&arn, "SUCCEEDED")).await?;
    ended.with_context(|| dev.running.output())?;
    Ok(())
}
