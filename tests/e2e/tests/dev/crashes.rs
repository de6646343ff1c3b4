//! Killed with -9 again and again, started twice, on a damaged file, in a folder that can't be.

use anyhow::{Context, Result, ensure};
use e2e::{Orders, PATIENCE, note};
use serde_json::json;

use crate::dev::{Dev, refusal};

const ORDERS: usize = 100;

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
