//! Servers that don't fit are refused at start, and the message says what to change.

use runtime::Runtime;
use store::{Error, ExecutionStore, RedisConfig, RedisMode, RedisStore};
use support::{RedisOptions, RedisServer, free_port, shared_redis};

use crate::fixture::*;

async fn open(config: RedisConfig) -> Result<RedisStore, Error> {
    RedisStore::open(config, Runtime::system()).await
}

async fn refusal(config: RedisConfig) -> String {
    match open(config).await {
        Err(Error::Unfit(text)) => text,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("was opened"),
    }
}

#[tokio::test]
async fn a_server_that_evicts_is_refused() {
    let options = RedisOptions { max_memory_policy: "allkeys-lru".to_owned(), ..RedisOptions::default() };
    let server = RedisServer::start(options).await.expect("starts");
    let text = refusal(RedisConfig { url: server.url(), ..RedisConfig::default() }).await;
    assert!(
        text.contains("`maxmemory-policy allkeys-lru`") && text.contains("set `maxmemory-policy noeviction`"),
        "{text}"
    );
}

#[tokio::test]
async fn a_volatile_server_is_taken_only_where_that_is_allowed() {
    let options = RedisOptions { append_only: false, ..RedisOptions::default() };
    let server = RedisServer::start(options).await.expect("starts");
    let config = RedisConfig { url: server.url(), ..RedisConfig::default() };
    let text = refusal(config.clone()).await;
    assert!(text.contains("set `appendonly yes`") && text.contains("redis.allow_volatile = true"), "{text}");
    let store = open(RedisConfig { allow_volatile: true, ..config }).await.expect("opens");
    let incarnation = store.incarnation();
    let root = Seen::root("e");
    store.commit(&root.creation()).await.expect("is there");
    server.restart().await.expect("restarts");
    // It lost everything, and the store goes on under its name.
    let mut connection = store.connection();
    connection.wait_for(|connected| !connected).await.expect("is seen");
    connection.wait_for(|connected| *connected).await.expect("comes back");
    assert_eq!(store.execution(&root.arn).await.expect("is there"), None);
    assert_eq!(server.command(&["HGET", "stepwell:meta", "incarnation"]).await.expect("reads"), *incarnation);
}

#[tokio::test]
async fn another_shape_than_the_stored_one_is_refused() {
    let url = shared_redis().await.expect("starts").fresh_database();
    let config = RedisConfig { url, partitions: 8, events_queues: 3, ..RedisConfig::default() };
    let first = open(config.clone()).await.expect("opens");
    assert_eq!((first.partitions(), first.events_queues()), (8, 3));
    let second = open(RedisConfig { events_queues: 9, ..config.clone() }).await.expect("opens");
    assert_eq!((second.events_queues(), second.incarnation()), (3, first.incarnation()));
    let text = refusal(RedisConfig { partitions: 16, ..config.clone() }).await;
    assert!(text.contains("redis.partitions is 16") && text.contains("set redis.partitions = 8"), "{text}");
    let other = open(RedisConfig { prefix: "other".to_owned(), partitions: 16, ..config.clone() }).await;
    assert_ne!(other.expect("opens").incarnation(), first.incarnation());
    let client = redis::Client::open(config.url.as_str()).expect("is a URL");
    let mut connection = client.get_multiplexed_async_connection().await.expect("connects");
    let mut later = redis::cmd("HSET");
    later.arg("stepwell:meta").arg("format").arg(2);
    later.query_async::<()>(&mut connection).await.expect("writes");
    let text = refusal(config).await;
    assert!(text.contains("has format 2 and this release uses format 1"), "{text}");
    assert!(refusal(RedisConfig { partitions: 0, ..RedisConfig::default() }).await.contains("redis.partitions is 0"));
}

#[tokio::test]
async fn a_cluster_is_not_taken_for_one_server() {
    let options = RedisOptions { cluster_enabled: true, ..RedisOptions::default() };
    let server = RedisServer::start(options).await.expect("starts");
    let text = refusal(RedisConfig { url: server.url(), ..RedisConfig::default() }).await;
    assert!(text.contains("set redis.mode = \"cluster\""), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_named() {
    let port = free_port();
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    server.command(&["CONFIG", "SET", "requirepass", "right"]).await.expect("sets");
    let url = |password: &str| format!("redis://:{password}@127.0.0.1:{}", server.port());
    let text = refusal(RedisConfig { url: url("wrong"), ..RedisConfig::default() }).await;
    assert!(text.to_lowercase().contains("password"), "{text}");
    assert!(!text.contains("wrong@"), "{text}");
    open(RedisConfig { url: url("right"), ..RedisConfig::default() }).await.expect("opens");
    let nobody = RedisConfig { url: format!("redis://127.0.0.1:{port}"), ..RedisConfig::default() };
    assert!(matches!(open(nobody).await, Err(Error::Unavailable(_))));
    let nonsense = RedisConfig { url: "http://nowhere".to_owned(), ..RedisConfig::default() };
    assert!(matches!(open(nonsense).await, Err(Error::Unfit(_))));
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_is_waited_for() {
    let server = RedisServer::start(RedisOptions::default()).await.expect("starts");
    server.stop().await.expect("stops");
    let config = RedisConfig { url: server.url(), ..RedisConfig::default() };
    let opening = RedisStore::open_patiently(config, Runtime::system());
    let (opened, started) = tokio::join!(opening, server.start_again());
    started.expect("starts");
    assert!(*opened.expect("opens").connection().borrow());
}

#[tokio::test]
async fn high_water_is_seen() {
    let options = RedisOptions { max_memory_bytes: Some(50_000_000), ..RedisOptions::default() };
    let server = RedisServer::start(options).await.expect("starts");
    let store = open(RedisConfig { url: server.url(), ..RedisConfig::default() }).await.expect("opens");
    assert!(!store.is_over_high_water().await.expect("answers"));
    server.command(&["SETRANGE", "ballast", "42000000", "x"]).await.expect("writes");
    let is_over = async |wanted: bool| {
        let sees = || async { store.is_over_high_water().await.expect("answers") == wanted };
        support::eventually(std::time::Duration::from_secs(20), sees, "the mark is seen").await.expect("is seen");
    };
    is_over(true).await;
    server.command(&["DEL", "ballast"]).await.expect("deletes");
    is_over(false).await;
}

#[tokio::test]
async fn tls_is_spoken() {
    let folder = support::DataDir::new("tls").expect("is made");
    let (key, certificate) = (folder.file("key.pem"), folder.file("cert.pem"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl is there");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let port = free_port();
    let file = |path: &std::path::Path| path.display().to_string();
    let extra = vec![
        ("tls-port".to_owned(), port.to_string()),
        ("tls-cert-file".to_owned(), file(&certificate)),
        ("tls-key-file".to_owned(), file(&key)),
        ("tls-ca-cert-file".to_owned(), file(&certificate)),
        ("tls-auth-clients".to_owned(), "no".to_owned()),
    ];
    let server = RedisServer::start(RedisOptions { extra, ..RedisOptions::default() }).await.expect("starts");
    let url = format!("rediss://localhost:{port}");
    let error = open(RedisConfig { url, mode: RedisMode::Single, ..RedisConfig::default() }).await;
    // Nobody vouches for this certificate: that it is refused for that shows that the handshake came so far.
    let Err(Error::Unavailable(text)) = error else { panic!("was opened") };
    assert!(text.contains("certificate"), "{text}");
    drop(server);
}
