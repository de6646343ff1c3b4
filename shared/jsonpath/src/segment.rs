//! The parts of a path.

use std::fmt::{self, Write};

use crate::eval::Reading;
use crate::filter::Filter;

/// Is one part of a path.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    /// `.a` or `['a']`.
    Name(Box<str>),
    /// `['a','b']`.
    Names(Vec<Box<str>>),
    /// `[3]`; negative counts from the end.
    Index(i64),
    /// `[0,2]`.
    Indexes(Vec<i64>),
    /// `[from:to]`, of which at least one is there.
    Slice { from: Option<i64>, to: Option<i64> },
    /// `.*` or `[*]`.
    Wildcard,
    /// `[?(...)]`.
    Filter(Filter),
    /// `..` in front of another part.
    Descend(Box<Segment>),
}

impl Segment {
    pub(crate) fn is_definite(&self) -> bool {
        matches!(self, Segment::Name(_) | Segment::Index(_))
    }

    /// Tells whether the part gives one value: several names give one object.
    pub(crate) fn gives_one(&self) -> bool {
        self.is_definite() || matches!(self, Segment::Names(_))
    }

    /// Lists the names where there are several, also behind `..`.
    pub(crate) fn names(&self) -> Option<&[Box<str>]> {
        match self {
            Segment::Names(names) => Some(names),
            Segment::Descend(inner) => inner.names(),
            Segment::Name(_)
            | Segment::Index(_)
            | Segment::Indexes(_)
            | Segment::Slice { .. }
            | Segment::Wildcard
            | Segment::Filter(_) => None,
        }
    }

    /// Gives the bare name or index.
    pub(crate) fn step(&self) -> String {
        match self {
            Segment::Name(name) => name.to_string(),
            Segment::Index(index) => index.to_string(),
            Segment::Names(_)
            | Segment::Indexes(_)
            | Segment::Slice { .. }
            | Segment::Wildcard
            | Segment::Filter(_)
            | Segment::Descend(_) => self.to_string(),
        }
    }

    /// Looks up what begins with `$` in filters, which is the same for all values under test.
    pub(crate) fn bound(&self, reading: &Reading<'_>) -> Segment {
        match self {
            Segment::Filter(filter) => Segment::Filter(filter.bound(reading)),
            Segment::Descend(inner) => Segment::Descend(Box::new(inner.bound(reading))),
            Segment::Name(_)
            | Segment::Names(_)
            | Segment::Index(_)
            | Segment::Indexes(_)
            | Segment::Slice { .. }
            | Segment::Wildcard => self.clone(),
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Name(name) => write!(formatter, "['{name}']"),
            Segment::Names(names) => {
                let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
                write!(formatter, "[{}]", quoted.join(","))
            }
            Segment::Index(index) => write!(formatter, "[{index}]"),
            Segment::Indexes(indexes) => {
                let indexes: Vec<String> = indexes.iter().map(i64::to_string).collect();
                write!(formatter, "[{}]", indexes.join(","))
            }
            Segment::Slice { from, to } => {
                formatter.write_char('[')?;
                write_bound(formatter, *from)?;
                formatter.write_char(':')?;
                write_bound(formatter, *to)?;
                formatter.write_char(']')
            }
            Segment::Wildcard => formatter.write_str("[*]"),
            Segment::Filter(_) => formatter.write_str("[?]"),
            Segment::Descend(inner) => write!(formatter, "..{inner}"),
        }
    }
}

fn write_bound(formatter: &mut fmt::Formatter<'_>, bound: Option<i64>) -> fmt::Result {
    match bound {
        Some(bound) => write!(formatter, "{bound}"),
        None => Ok(()),
    }
}
