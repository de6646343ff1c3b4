//! The rules of the store, over an ordered map of bytes that a transaction reads and writes.
//!
//! What the scripts are to Redis, this is to the stores within a process: [`MemoryStore`](crate::MemoryStore) runs it on a map in
//! memory, [`EmbeddedStore`](crate::EmbeddedStore) in transactions on a file. Every operation reads and checks first, then
//! writes; where a write fails, the transaction as a whole is given up. `docs/formats/embedded.md` lists keys and values.

mod cleanup;
mod commit;
mod definitions;
mod keys;
mod lists;
mod map;
mod read;
mod resources;
mod values;
mod write;

pub(crate) use cleanup::clean_up;
pub(crate) use commit::Prepared;
pub(crate) use definitions::{definition, put_definition};
pub(crate) use lists::{clear_outbox, count_executions, drop_timers, due_timers, executions, open_executions, outbox};
#[expect(unreachable_pub, reason = "they bound the type of a public store")]
pub use map::{Map, View};
pub(crate) use map::{Order, Visit};

pub(crate) use read::{dump, ended_bytes, execution, history, join, load, open_branches, results};
pub(crate) use resources::{
    claim_task, create_resource, drop_task, offer_task, replace_resource, resource, resources, return_task,
};
