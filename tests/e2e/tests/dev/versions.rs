//! Versions and aliases, each step of which is followed by a kill -9.

use anyhow::{Result, ensure};
use e2e::note;
use serde_json::{Value, json};

use crate::dev::Dev;

fn gives(result: &str) -> String {
    json!({ "StartAt": "A", "States": { "A": { "Type": "Pass", "Result": result, "End": true } } }).to_string()
}

/// Makes a call, and then kills the process.
async fn then_cut(dev: &mut Dev, operation: &str, request: Value) -> Result<Value> {
    let answer = dev.api()?.ask(operation, &request).await?;
    dev.cut().await?;
    Ok(answer)
}

#[tokio::test]
async fn what_was_published_outlives_kills() -> Result<()> {
    let mut dev = Dev::start(10).await?;
    let role = "arn:aws:iam::123456789012:role/r";
    let request = json!({ "name": "m", "definition": gives("old"), "roleArn": role, "publish": true });
    let created = then_cut(&mut dev, "CreateStateMachine", request).await?;
    let (machine, old) = (created["stateMachineArn"].clone(), created["stateMachineVersionArn"].clone());
    let route = |version: &Value| json!([{ "stateMachineVersionArn": version, "weight": 100 }]);
    let request = json!({ "name": "PROD", "routingConfiguration": route(&old) });
    let alias = then_cut(&mut dev, "CreateStateMachineAlias", request).await?["stateMachineAliasArn"].clone();
    let request = json!({ "stateMachineArn": machine, "definition": gives("new") });
    then_cut(&mut dev, "UpdateStateMachine", request).await?;
    let published = then_cut(&mut dev, "PublishStateMachineVersion", json!({ "stateMachineArn": machine })).await?;
    let new = published["stateMachineVersionArn"].clone();
    for (version, result) in [(&old, "old"), (&new, "new")] {
        let request = json!({ "stateMachineAliasArn": alias, "routingConfiguration": route(version) });
        then_cut(&mut dev, "UpdateStateMachineAlias", request).await?;
        let started = then_cut(&mut dev, "StartExecution", json!({ "stateMachineArn": alias })).await?;
        let seen = dev.api()?.ask("DescribeExecution", &json!({ "executionArn": started["executionArn"] })).await?;
        ensure!(seen["output"] == format!("\"{result}\""), "{seen}");
        ensure!(seen["stateMachineVersionArn"] == *version && seen["stateMachineAliasArn"] == alias, "{seen}");
    }
    let refused = dev.api()?.try_call("DeleteStateMachineVersion", &json!({ "stateMachineVersionArn": new })).await?;
    ensure!(refused.error() == "ConflictException", "{}", refused.text);
    then_cut(&mut dev, "DeleteStateMachineVersion", json!({ "stateMachineVersionArn": old })).await?;
    let listed = dev.api()?.ask("ListStateMachineVersions", &json!({ "stateMachineArn": machine })).await?;
    ensure!(listed["stateMachineVersions"].as_array().is_some_and(|versions| versions.len() == 1), "{listed}");
    note("versions and aliases with a kill after each of nine steps: all there");
    Ok(())
}
