//! What a store does, on the twins in memory and in a file, on Redis, and on a Redis Cluster of three nodes.
#![expect(clippy::panic, reason = "these are tests")]

mod activities;
mod cleaning;
mod creation;
mod definitions;
mod fixture;
mod guards;
mod history;
mod joins;
mod leases;
mod lists;
mod resources;
mod scopes;

/// Makes of each test one for every kind of store.
macro_rules! on_all_stores {
    ($($test:ident),+ $(,)?) => {
        mod memory {
            $(#[test] fn $test() { crate::fixture::on_memory(super::$test) })+
        }
        mod embedded {
            $(#[test] fn $test() { crate::fixture::on_embedded(super::$test) })+
        }
        mod redis {
            $(#[test] fn $test() { crate::fixture::on_redis(super::$test) })+
        }
        mod cluster {
            $(#[test] fn $test() { crate::fixture::on_cluster(super::$test) })+
        }
    };
}
pub(crate) use on_all_stores;
