//! The versioned formats: what the broker carries and what the store keeps.
//!
//! Formats know no rules. Each type here is what a reader gets and a writer gives; its text form, with the version, lies in
//! the module beside it, is described by a page in `docs/formats/` and held by golden files: read all past versions,
//! write the newest.

pub mod message;
pub mod record;
