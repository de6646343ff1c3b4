//! Ids: of history events, branches, scopes, attempts, commits; revisions and fencing tokens.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Is the number of a history event: 1, 2, … without a gap over the whole execution; 0 stands for "none".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId(pub u64);

impl fmt::Display for EventId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// Names a history event that may belong to the run at hand, whose ids only its commit settles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventRef {
    /// An event committed before, or none (0).
    Id(EventId),
    /// The event at this index (from 0) among those that the run at hand makes.
    New(u32),
}

impl EventRef {
    /// Is the reference of a first event: there is none before it.
    pub const NONE: EventRef = EventRef::Id(EventId(0));

    /// Gives the id, where `base` is the id of the last event before the run.
    pub fn resolve(self, base: EventId) -> EventId {
        match self {
            EventRef::Id(id) => id,
            EventRef::New(index) => EventId(base.0 + 1 + u64::from(index)),
        }
    }

    /// Gives the reference with its id settled.
    #[must_use]
    pub fn resolved(self, base: EventId) -> EventRef {
        EventRef::Id(self.resolve(base))
    }
}

/// Is a random number that makes an id unlike every other one with the same counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nonce(pub u64);

/// Says that a text is not an id of the wanted form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read {text:?} as {what}")]
pub struct IdError {
    what: &'static str,
    text: String,
}

macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        ///
        /// A number that counts up and a nonce, compared for equality only: a failover that turns numbers back can't make
        /// an old one valid. Printed as `number-nonce`, the nonce as 16 hexadecimal digits.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $name {
            /// Counts up.
            pub number: u32,
            /// Tells apart two with one number.
            pub nonce: Nonce,
        }

        impl $name {
            /// Makes the first one.
            pub const fn first(nonce: Nonce) -> Self {
                Self { number: 1, nonce }
            }

            /// Makes the one that follows.
            #[must_use]
            pub const fn next(self, nonce: Nonce) -> Self {
                Self { number: self.number.wrapping_add(1), nonce }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}-{:016x}", self.number, self.nonce.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError { what: $what, text: text.to_owned() };
                let (number, nonce) = text.split_once('-').ok_or_else(wrong)?;
                Ok(Self {
                    number: number.parse().map_err(|_| wrong())?,
                    nonce: Nonce(u64::from_str_radix(nonce, 16).map_err(|_| wrong())?),
                })
            }
        }
    };
}

numbered!(
    /// Is the revision of a branch record: a new one with every commit that writes the record.
    Revision,
    "a revision"
);
numbered!(
    /// Is the fencing token of a branch's lease: a new one with every owner.
    FencingToken,
    "a fencing token"
);
numbered!(
    /// Is the id of one try of one state entry. Its number counts all attempts of the branch.
    AttemptId,
    "an attempt id"
);

/// Is the random id of a commit; repeating a commit under its id returns the first answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommitId(pub Nonce);

impl fmt::Display for CommitId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0.0)
    }
}

/// Names a branch within its execution: `r` is the root, `r/4.2` the third child (index 2) of what the root entered as
/// its state entry 4, and so on down.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchPath(Arc<str>);

impl BranchPath {
    /// Gives the path of the root branch.
    pub fn root() -> Self {
        Self("r".into())
    }

    /// Tells whether this is the root branch.
    pub fn is_root(&self) -> bool {
        &*self.0 == "r"
    }

    /// Gives the path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Gives the scope that this branch belongs to as a child, and its index there; nothing for the root.
    pub fn parent_scope(&self) -> Option<(ScopeKey, u32)> {
        let (parent, last) = self.0.rsplit_once('/')?;
        let (entry, index) = last.split_once('.')?;
        let key = ScopeKey { branch: BranchPath(parent.into()), entry: entry.parse().ok()? };
        Some((key, index.parse().ok()?))
    }

    /// Lists all scopes around this branch, the innermost first.
    pub fn scopes(&self) -> Vec<ScopeKey> {
        let mut scopes = Vec::new();
        let mut next = self.parent_scope();
        while let Some((scope, _)) = next {
            next = scope.branch.parent_scope();
            scopes.push(scope);
        }
        scopes
    }

    /// Tells whether this branch lies within the scope, at any depth.
    pub fn is_within(&self, scope: &ScopeKey) -> bool {
        let inner = self.0.strip_prefix(&*scope.branch.0).and_then(|rest| rest.strip_prefix('/'));
        let entry = inner.and_then(|inner| inner.split_once('.')).map(|(entry, _)| entry.parse());
        entry == Some(Ok(scope.entry))
    }
}

impl FromStr for BranchPath {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError { what: "a branch path", text: text.to_owned() };
        let mut segments = text.split('/');
        if segments.next() != Some("r") {
            return Err(wrong());
        }
        for segment in segments {
            let (entry, index) = segment.split_once('.').ok_or_else(wrong)?;
            entry.parse::<u32>().map_err(|_| wrong())?;
            index.parse::<u32>().map_err(|_| wrong())?;
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for BranchPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Names a scope: the children of one state entry of one branch. Printed as `branch@entry`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeKey {
    /// The branch whose Parallel or Map state it is.
    pub branch: BranchPath,
    /// The number of the state entry within that branch.
    pub entry: u32,
}

impl ScopeKey {
    /// Gives the path of the child at `index` (from 0).
    pub fn child(&self, index: u32) -> BranchPath {
        BranchPath(format!("{}/{}.{index}", self.branch, self.entry).into())
    }
}

impl fmt::Display for ScopeKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}@{}", self.branch, self.entry)
    }
}

impl FromStr for ScopeKey {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = || IdError { what: "a scope", text: text.to_owned() };
        let (branch, entry) = text.rsplit_once('@').ok_or_else(wrong)?;
        Ok(Self { branch: branch.parse()?, entry: entry.parse().map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_knows_the_scopes_around_it() {
        let path: BranchPath = "r/4.2/1.30".parse().expect("is a path");
        let scopes: Vec<String> = path.scopes().iter().map(ToString::to_string).collect();
        assert_eq!(scopes, ["r/4.2@1", "r@4"]);
        let is_within = |scope: &str| path.is_within(&scope.parse().expect("is a scope"));
        assert!(is_within("r@4") && is_within("r/4.2@1"));
        for other in ["r@5", "r@2", "r@1", "r/4.2@3", "r/4.1@1", "r/4.20@1", "r/4.2/1.3@0", "r/4.2/1.30@1"] {
            assert!(!is_within(other), "{other}");
        }
        assert!(!BranchPath::root().is_within(&"r@4".parse().expect("is a scope")));
        assert_eq!(path.parent_scope().map(|(scope, index)| scope.child(index)), Some(path));
    }

    #[test]
    fn ids_are_read_as_they_are_printed() {
        let revision = Revision { number: 7, nonce: Nonce(255) };
        assert_eq!(revision.to_string(), "7-00000000000000ff");
        assert_eq!(revision.to_string().parse(), Ok(revision));
        for wrong in ["", "7", "x-1", "7-", "r"] {
            assert!(wrong.parse::<Revision>().is_err(), "{wrong}");
        }
        for wrong in ["", "x", "r/", "r/1", "r/a.b", "r/1.2/"] {
            assert!(wrong.parse::<BranchPath>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn new_events_count_on_from_the_base() {
        assert_eq!(EventRef::New(0).resolve(EventId(10)), EventId(11));
        assert_eq!(EventRef::Id(EventId(3)).resolve(EventId(10)), EventId(3));
    }
}
