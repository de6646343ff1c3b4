//! Private servers, programs, free ports and waiting for tests, benches and crash tests.
//!
//! Everything started here listens on loopback only, keeps its data in a folder of its own and ends with the
//! process that started it, even if that process is killed: see [`ProcessGroup`].
//!
//! ```text
//! test process ── pipe ──► watchdog (sh)      pipe closed: kill the group, remove the data
//!      │                       │
//!      └── spawns ──► process group of redis-server, beam + epmd, coordinator, …
//! ```
#![expect(
    clippy::disallowed_methods,
    reason = "real servers are waited for in real time, outside of the simulated runtime"
)]

mod data_dir;
mod group;
mod http;
mod names;
mod program;
mod rabbit;
mod redis;
mod redis_cluster;
mod shared;
mod skipped;
mod suite;
mod wait;

pub use data_dir::DataDir;
pub use group::ProcessGroup;
pub use http::{HttpAnswer, http_get};
pub use names::{free_port, unique_name};
pub use program::{Program, ProgramCommand};
pub use rabbit::RabbitServer;
pub use redis::{AppendFsync, RedisOptions, RedisServer};
pub use redis_cluster::RedisCluster;
pub use shared::{shared_rabbit, shared_redis};
pub use skipped::skipped;
pub use suite::suite;
pub use wait::{eventually, eventually_some};
