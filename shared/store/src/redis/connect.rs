//! Connecting to one server, to the master that Sentinel names, or to a cluster.

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::cluster_routing::{MultipleNodeRoutingInfo, Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisFuture, RedisResult, Value,
};

use super::config::{RedisConfig, RedisMode};

/// Is a connection that many commands share. Clones use the same one.
#[derive(Clone)]
pub(super) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// Connects as configured, with the configured time-outs and without delay of small packets.
pub(super) async fn connect(config: &RedisConfig) -> RedisResult<Connection> {
    install_crypto();
    let timeouts = AsyncConnectionConfig::new()
        .set_response_timeout(Some(config.response_timeout()))
        .set_connection_timeout(Some(config.connect_timeout()));
    match config.mode {
        RedisMode::Single => {
            let first = infos(config)?.into_iter().next().ok_or_else(no_url)?;
            let connection = Client::open(first)?.get_multiplexed_async_connection_with_config(&timeouts).await?;
            Ok(Connection::Server(connection))
        }
        RedisMode::Sentinel => {
            let connection = sentinel(config)?.build()?.get_async_connection_with_config(&timeouts).await?;
            Ok(Connection::Server(connection))
        }
        RedisMode::Cluster => {
            let client = ClusterClient::builder(infos(config)?)
                .response_timeout(config.response_timeout())
                .connection_timeout(config.connect_timeout())
                .overall_response_timeout(Some(config.response_timeout()))
                .tcp_settings(tcp())
                .build()?;
            Ok(Connection::Cluster(client.get_async_connection().await?))
        }
    }
}

/// rustls wants to be told which cryptography to use; a program that has told it already is heeded.
fn install_crypto() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn infos(config: &RedisConfig) -> RedisResult<Vec<ConnectionInfo>> {
    let info = |url: &String| Ok(url.as_str().into_connection_info()?.set_tcp_settings(tcp()));
    config.urls().iter().map(info).collect()
}

fn no_url() -> redis::RedisError {
    (redis::ErrorKind::InvalidClientConfig, "redis.url is empty").into()
}

/// What the URLs say beside the address (user, password, database, TLS) is for Redis; the Sentinels have their own password.
fn sentinel(config: &RedisConfig) -> RedisResult<SentinelClientBuilder> {
    let infos = infos(config)?;
    let first = infos.first().ok_or_else(no_url)?;
    let settings = first.redis_settings().clone();
    let is_tls = matches!(first.addr(), redis::ConnectionAddr::TcpTls { .. });
    let addresses: Vec<_> = infos.iter().map(|info| info.addr().clone()).collect();
    let master = config.sentinel_master.as_str();
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
        .set_client_to_redis_db(settings.db())
        .set_client_to_redis_tcp_settings(tcp());
    if is_tls {
        builder = builder.set_client_to_redis_tls_mode(redis::TlsMode::Secure);
    }
    if let Some(user) = settings.username() {
        builder = builder.set_client_to_redis_username(user);
    }
    if let Some(password) = settings.password() {
        builder = builder.set_client_to_redis_password(password);
    }
    if let Some(password) = &config.sentinel_password {
        builder = builder.set_client_to_sentinel_password(password);
    }
    Ok(builder)
}

impl Connection {
    /// Loads a script into the server that has the key.
    pub(super) async fn load_script(&mut self, key: &str, source: &str) -> RedisResult<()> {
        let mut cmd = redis::cmd("SCRIPT");
        cmd.arg("LOAD").arg(source);
        match self {
            Connection::Server(connection) => cmd.query_async(connection).await,
            Connection::Cluster(connection) => connection.route_command(cmd, to_master(key)).await.map(|_| ()),
        }
    }

    /// Asks every master; the answers stand beside each other, or within one map.
    pub(super) async fn ask_all(&mut self, cmd: Cmd) -> RedisResult<Value> {
        match self {
            Connection::Server(connection) => cmd.query_async(connection).await,
            Connection::Cluster(connection) => {
                let all = RoutingInfo::MultiNode((MultipleNodeRoutingInfo::AllMasters, None));
                connection.route_command(cmd, all).await
            }
        }
    }

    /// Runs commands on the server that has the key, one right after the other.
    pub(super) async fn run_on(&mut self, key: &str, pipeline: &Pipeline) -> RedisResult<Vec<Value>> {
        match self {
            Connection::Server(connection) => pipeline.query_async(connection).await,
            Connection::Cluster(connection) => {
                let route = SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master));
                connection.route_pipeline(pipeline.clone(), 0, pipeline.cmd_iter().count(), route).await
            }
        }
    }
}

fn to_master(key: &str) -> RoutingInfo {
    RoutingInfo::SingleNode(SingleNodeRoutingInfo::SpecificNode(Route::with_key(key, SlotAddr::Master)))
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Connection::Server(connection) => connection.req_packed_command(cmd),
            Connection::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Connection::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Connection::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Connection::Server(connection) => connection.get_db(),
            Connection::Cluster(connection) => connection.get_db(),
        }
    }
}
