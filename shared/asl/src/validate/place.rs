//! Where in a definition something stands, as AWS writes it: `/States/Pay/Retry[0]/ErrorEquals`.

use std::fmt;

/// Is a place in a definition. It is printed only where something is wrong, so a place costs nothing before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Root,
    Field(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// Gives the place of the whole text.
    pub(crate) const ROOT: Place<'static> = Place { parent: None, step: Step::Root };

    /// Gives the place of a member.
    pub(crate) fn field(&'a self, name: &'a str) -> Place<'a> {
        Place { parent: Some(self), step: Step::Field(name) }
    }

    /// Gives the place of an element.
    pub(crate) fn index(&'a self, index: usize) -> Place<'a> {
        Place { parent: Some(self), step: Step::Index(index) }
    }

    fn write(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.write(formatter)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) => write!(formatter, "/{name}"),
            Step::Index(index) => write!(formatter, "[{index}]"),
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Step::Root => formatter.write_str("/"),
            Step::Field(_) | Step::Index(_) => self.write(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_printed_as_aws_does() {
        assert_eq!(Place::ROOT.to_string(), "/");
        let states = Place::ROOT.field("States");
        let state = states.field("a b/c");
        let retry = state.field("Retry");
        assert_eq!(retry.index(3).to_string(), "/States/a b/c/Retry[3]");
    }
}
