//! JSONPath with the semantics of AWS Step Functions, which are Jayway's.
//!
//! A path of names and single indexes is *definite*: reading it gives the bare value, or an error if it is missing.
//! Every other path gives an array of what it matches. A [`ReferencePath`] is a definite path that can also be written
//! to. Paths here always begin with `$`; the prefixes `$$` and `$variable` of the States Language belong to the caller.
//!
//! Definite paths can be read straight from JSON text ([`Path::read_raw`]), which keeps the very text of the value.

mod compact;
mod error;
mod eval;
mod filter;
mod java;
mod parse;
mod path;
mod raw;
mod segment;
mod value;
mod write;

pub use compact::compact;
pub use error::{ParseError, ReadError, WriteError};
pub use java::{json_text, number_text, plain_text};
pub use path::{Path, ReferencePath};
pub use raw::{elements, members};
pub use value::parse;
