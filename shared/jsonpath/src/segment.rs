//! The parts of a path.

use std::fmt::{self, Write};

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
    /// `[from:to:step]`.
    Slice { from: Option<i64>, to: Option<i64>, step: i64 },
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
            Segment::Slice { from, to, step } => {
                formatter.write_char('[')?;
                write_bound(formatter, *from)?;
                formatter.write_char(':')?;
                write_bound(formatter, *to)?;
                if *step != 1 {
                    write!(formatter, ":{step}")?;
                }
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
