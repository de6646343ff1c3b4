//! Removals of definitions that stop half-way.

use runtime::Runtime;
use store::{CommitOutcome, ExecutionStore, RedisConfig, RedisStore, Retention};
use support::{RedisOptions, RedisServer};
use wire::record::DefinitionHash;

use crate::fixture::*;

const SCRIPT: &str = include_str!("../../src/redis/scripts/undefine.lua");

#[tokio::test]
async fn a_removal_that_was_cut_short_is_taken_back_or_finished() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    let config = RedisConfig { url: server.url(), partitions: PARTITIONS, ..RedisConfig::default() };
    let store = RedisStore::open(config, Runtime::system()).await.expect("opens");
    let root = Seen::root("e");
    let uses = format!("stepwell:{{p{}}}:uses", partition(&root.arn));
    let left = DefinitionHash("left".into());
    store.put_definition(partition(&root.arn), &left, "{}").await.expect("puts");
    define(&store).await;
    let condemn = async |key: &str| server.command(&["EVAL", SCRIPT, "1", key, "condemn"]).await.expect("marks");
    let remove = async |key: &str, mark: &str| {
        server.command(&["EVAL", SCRIPT, "1", key, "remove", mark]).await.expect("answers").trim().to_owned()
    };
    for hash in ["abc", "left"] {
        let mark = condemn(&format!("stepwell:d:{hash}")).await;
        assert_eq!(mark.trim(), "1");
        server.command(&["HDEL", &uses, hash]).await.expect("forgets");
    }
    // Whoever wants it has it put again, and who was about to remove it is too late.
    let refused = store.commit(&root.creation()).await.expect("answers");
    assert_eq!(refused, CommitOutcome::Refused(store::Refusal::Undefined));
    store.put_definition(partition(&root.arn), &definition(), "{}").await.expect("puts");
    let creation = root.creation();
    assert!(matches!(store.commit(&creation).await, Ok(CommitOutcome::Committed(_))));
    assert_eq!(remove("stepwell:d:abc", "1").await, "0");
    // Of two removals the later one counts.
    condemn("stepwell:d:left").await;
    assert_eq!(remove("stepwell:d:left", "1").await, "0");
    let retention = Retention { millis: 1_000, bytes: None, express_millis: 1_000, unused_millis: 0 };
    while store.clean_up(partition(&root.arn), &retention).await.expect("cleans") {}
    let keys = server.command(&["KEYS", "*:d:*"]).await.expect("lists");
    assert!(keys.contains("d:abc") && !keys.contains("d:left"), "{keys}");
}
