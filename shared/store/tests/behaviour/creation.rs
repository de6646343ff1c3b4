//! Creating executions and state machines.

use std::sync::Arc;

use model::{EventId, JsonText, StateMachineStatus, Timestamp};
use store::{Refusal, Subject};
use wire::record::{DefinitionHash, StateMachineRecord};

use crate::fixture::*;

crate::on_all_stores!(
    an_execution_is_created_and_read,
    a_name_is_taken_once,
    a_creation_repeated_gives_its_first_answer,
    an_execution_may_end_as_it_is_created,
    what_does_not_exist_is_missing,
    a_state_machine_is_created_once,
    definitions_are_kept_under_their_hash,
);

async fn an_execution_is_created_and_read(stage: Stage) {
    let root = Seen::root("e");
    let creation = root.creation();
    assert_eq!(stage.made(&creation).await, committed(0, Timestamp::default()));
    let Subject::Creation { record, .. } = creation.subject else { panic!("is a creation") };
    let (head, branch) = stage.store.load(&root.arn, &root.path).await.expect("reads").expect("exists");
    assert_eq!((*head.record).clone(), *record);
    assert_eq!((head.last_event, &head.end), (EventId(1), &None));
    assert_eq!(stage.store.execution(&root.arn).await.expect("reads"), Some(head));
    let branch = branch.expect("is open");
    let mut written = root.branch().record;
    written.settle(EventId(0));
    assert_eq!(branch.record, written);
    assert_eq!((branch.revision, branch.token, branch.owner), (root.revision, root.token, root.owner.clone()));
    let now = stage.store.time().await.expect("tells");
    assert!(branch.leased_until > now && branch.leased_until <= now.plus_millis(60_000));
    let open = stage.store.open_branches(&root.arn, None, usize::MAX).await.expect("reads");
    assert_eq!(open.len(), 1);
}

async fn a_name_is_taken_once(stage: Stage) {
    stage.created("e").await;
    assert_eq!(stage.refused(&Seen::root("e").creation()).await, Refusal::Exists);
    stage.created("f").await;
}

async fn a_creation_repeated_gives_its_first_answer(stage: Stage) {
    let root = Seen::root("e");
    let creation = root.creation();
    let first = stage.made(&creation).await;
    stage.made(&root.advance().1).await;
    let before = stage.dump().await;
    assert_eq!(stage.made(&creation).await, first);
    assert_eq!(stage.dump().await, before);
}

async fn an_execution_may_end_as_it_is_created(stage: Stage) {
    let root = Seen::root("e");
    let mut creation = root.creation();
    let Subject::Creation { root: open, .. } = &mut creation.subject else { panic!("is a creation") };
    *open = None;
    creation.end = Some((succeeded(), at(5)));
    let first = stage.made(&creation).await;
    assert_eq!(stage.made(&creation).await, first);
    let head = stage.store.execution(&root.arn).await.expect("reads").expect("exists");
    assert_eq!(head.end, Some((succeeded(), at(5))));
    assert_eq!(stage.store.open_executions(partition(&root.arn), 0).await.expect("reads"), (Vec::new(), 0));
    assert_eq!(stage.refused(&root.advance().1).await, Refusal::Closed);
}

async fn what_does_not_exist_is_missing(stage: Stage) {
    let root = Seen::root("none");
    assert_eq!(stage.refused(&root.advance().1).await, Refusal::Missing);
    assert_eq!(stage.refused(&root.stop()).await, Refusal::Missing);
    assert_eq!(stage.store.execution(&root.arn).await.expect("reads"), None);
    assert_eq!(stage.store.load(&root.arn, &root.path).await.expect("reads"), None);
    assert!(stage.store.open_branches(&root.arn, None, usize::MAX).await.expect("reads").is_empty());
}

fn state_machine() -> StateMachineRecord {
    StateMachineRecord {
        arn: machine(),
        definition: "{ \"StartAt\":  \"é\" }".into(),
        hash: DefinitionHash("hash-1".into()),
        role_arn: "arn:aws:iam::123456789012:role/R".to_owned(),
        kind: "STANDARD".to_owned(),
        status: StateMachineStatus::Active,
        created_at: at(0),
        revision_id: None,
        updated_at: None,
        tags: vec![("a".to_owned(), "b".to_owned())],
        logging: Some(JsonText::parse("{\"level\" : \"ALL\"}").expect("is JSON")),
        tracing: None,
        encryption: None,
        publication: None,
    }
}

async fn a_state_machine_is_created_once(stage: Stage) {
    let first = state_machine();
    assert_eq!(stage.store.state_machine(&first.arn).await.expect("reads"), None);
    assert_eq!(stage.store.create_state_machine(&first).await.expect("creates"), None);
    assert_eq!(stage.store.state_machine(&first.arn).await.expect("reads"), Some(first.clone()));
    let second = StateMachineRecord { definition: "{}".into(), hash: DefinitionHash("hash-2".into()), ..first.clone() };
    assert_eq!(stage.store.create_state_machine(&second).await.expect("reads"), Some(first.clone()));
    assert_eq!(stage.store.state_machine(&first.arn).await.expect("reads"), Some(first.clone()));
    let (alone, _) = stage.store.state_machine_alone(&first.arn).await.expect("reads").expect("is there");
    assert_eq!(alone, StateMachineRecord { definition: "".into(), ..first });
}

async fn definitions_are_kept_under_their_hash(stage: Stage) {
    let record = state_machine();
    let hash = &record.hash;
    assert_eq!(stage.store.definition(hash).await.expect("reads"), None);
    stage.store.create_state_machine(&record).await.expect("creates");
    for _ in 0..2 {
        assert_eq!(stage.store.definition(hash).await.expect("reads"), Some(Arc::clone(&record.definition)));
    }
}
