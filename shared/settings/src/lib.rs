//! Settings of the programs: one file, over it the environment, over it flags.
//!
//! ```text
//!  defaults (code) < file (TOML) < STEPWELL_SECTION__KEY < flags        ──► T, and what nobody knows
//! ```
//! A program has one `Config` struct whose default is what holds when nothing is set. [`load()`] fills it and reports keys
//! that it doesn't know; [`render()`] shows what is in force. Text that must not be shown is a [`Secret`] or a [`Url`].

mod common;
mod interval;
mod load;
mod render;
mod secret;
mod sources;
mod unusable;

pub use common::{Amqp, Log, LogFormat, Ops, QueueKind};
pub use interval::{Interval, IntervalError};
pub use load::{Error, Loaded, Unknown, load};
pub use render::render;
pub use secret::{Secret, Url};
pub use sources::{Flag, Sources};
pub use unusable::{Unusable, check_positive};
