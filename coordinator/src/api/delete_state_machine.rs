//! DeleteStateMachine: marks a state machine. What follows is in `deletions`.

use model::StateMachineStatus;
use serde_json::json;

use super::Api;
use super::answer::Answer;
use super::arn::state_machine_arn;
use super::checks::Checks;
use super::error::{ApiError, ErrorCode};
use super::members::Members;

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
        if self.store()?.state_machine_alone(&arn).await?.is_none() {
            return Answer::render(&json!({}));
        }
        // Before the mark, so that it is gone on with whatever becomes of this process.
        self.note_deletion(&arn).await?;
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
            self.forget_deletion(&arn).await?;
        }
        Answer::render(&json!({}))
    }
}
