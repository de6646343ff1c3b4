//! DeleteStateMachine: marks a state machine, stops its executions and then removes it.

use model::{ExecutionStatus, StateMachineArn, StateMachineStatus};
use serde_json::json;
use store::{ExecutionQuery, ResourceKey};

use super::Api;
use super::answer::Answer;
use super::arn::state_machine_arn;
use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::members::Members;

/// How many running executions of a partition are stopped before more are asked for.
const STOPPED_AT_ONCE: usize = 100;

impl Api {
    /// Answers DeleteStateMachine; one that is not there is as good as deleted. As long as executions run it is DELETING.
    pub(super) async fn delete_state_machine(&self, mut members: Members) -> Result<Answer, ApiError> {
        let mut checks = Checks::default();
        let arn = members.text("stateMachineArn")?;
        checks.required("stateMachineArn", arn.as_ref());
        checks.length("stateMachineArn", arn.as_deref(), 1, 256);
        checks.finish()?;
        let arn = match state_machine_arn(&arn.unwrap_or_default()) {
            Ok(arn) => arn,
            Err(error) if error.code == ErrorCode::StateMachineDoesNotExist => return Answer::render(&json!({})),
            Err(error) => return Err(error),
        };
        let marked = self.change_state_machine(&arn, |record| {
            record.status = StateMachineStatus::Deleting;
            Ok(())
        });
        match marked.await {
            Ok(_) => {}
            Err(error) if error.code == ErrorCode::StateMachineDoesNotExist => return Answer::render(&json!({})),
            Err(error) => return Err(error),
        }
        tracing::info!(state_machine = %arn, "state machine is being deleted");
        if self.has_running(&arn).await? {
            self.go_on_deleting(arn);
        } else {
            self.remove_state_machine(&arn).await?;
        }
        Answer::render(&json!({}))
    }

    /// Stops what runs of a state machine that is being deleted, and removes it then, apart from any request.
    ///
    /// If this process dies before, whoever asks for the state machine next goes on.
    pub(super) fn go_on_deleting(&self, arn: StateMachineArn) {
        if !self.deleting().insert(arn.clone()) {
            return;
        }
        let api = self.clone();
        self.runtime().spawn(async move {
            if let Err(error) = api.stop_and_remove(&arn).await {
                tracing::warn!(state_machine = %arn, error = error.message, "the deletion goes on when it is asked for next");
            }
            api.deleting().remove(&arn);
        });
    }

    async fn stop_and_remove(&self, arn: &StateMachineArn) -> Result<(), ApiError> {
        for partition in 0..self.store()?.partitions() {
            loop {
                let running = self.running(partition, arn, STOPPED_AT_ONCE).await?;
                if running.is_empty() {
                    break;
                }
                for execution in running {
                    if let Err(error) = self.driver()?.stop_execution(&execution, None, None).await {
                        return Err(store::Error::Unavailable(error.to_string()).into());
                    }
                }
            }
        }
        self.remove_state_machine(arn).await
    }

    async fn has_running(&self, arn: &StateMachineArn) -> Result<bool, ApiError> {
        for partition in 0..self.store()?.partitions() {
            if !self.running(partition, arn, 1).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn running(
        &self,
        partition: u32,
        arn: &StateMachineArn,
        limit: usize,
    ) -> Result<Vec<model::ExecutionArn>, ApiError> {
        let status = Some(ExecutionStatus::Running);
        let query = ExecutionQuery { state_machine: arn.clone(), status, after: None, limit };
        let found = self.store()?.list_executions(partition, &query).await?;
        Ok(found.into_iter().map(|(_, arn)| arn).collect())
    }

    async fn remove_state_machine(&self, arn: &StateMachineArn) -> Result<(), ApiError> {
        while let Some((record, revision)) = self.store()?.state_machine_at(arn).await? {
            if record.status == StateMachineStatus::Active {
                // It was removed and created again meanwhile.
                return Ok(());
            }
            if self.store()?.replace_resource(&ResourceKey::state_machine(arn), revision, None).await? {
                tracing::info!(state_machine = %arn, "state machine deleted");
            }
        }
        Ok(())
    }
}
