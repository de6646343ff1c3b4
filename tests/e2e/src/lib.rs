//! The harness of the end-to-end and crash tests: real coordinators and workers against private servers.
//!
//! ```text
//!  test ── HTTP ──► coordinators ──┬── RabbitMQ (private) ──┬── workers ── handlers (Python, shell)
//!                                  └── Redis (private)      │
//!  test ── kill -9, SIGTERM, start again ──► any of these ──┘
//! ```
//! Every [`Cluster`] has a database and a prefix of its own, so that clusters share servers but no names. Tests wait for
//! conditions with [`PATIENCE`], which only a defect uses up.

mod api;
mod aws;
mod cluster;
mod collector;
mod definitions;
mod handlers;
mod history;
mod member;
mod note;
mod notices;
mod orders;
mod servers;

pub use api::{Api, Reply, send};
pub use aws::Aws;
pub use cluster::{Cluster, Plan};
pub use collector::{Collector, Seen, Traces};
pub use definitions::{lambda, order, task_of};
pub use handlers::Handlers;
pub use history::{check_history, events_of_type, terminal_type};
pub use member::Member;
pub use note::note;
pub use notices::Notices;
pub use orders::{Orders, Spans, now};
pub use servers::{Server, Servers};

use std::time::Duration;

/// How long a condition is waited for: far longer than it takes, as builds and other tests may run at the same time.
pub const PATIENCE: Duration = Duration::from_secs(240);
