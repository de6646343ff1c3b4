//! A definition's file: its text, its JSON, and the way back from a place in that to a line.

use std::path::Path;

use asl::Diagnostic;

use super::yaml::{self, Converted};

/// Is a place in a text, both counted from 1, the column in letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// Is a fault that keeps a file from being read as JSON or YAML.
pub(crate) struct Fault {
    pub(crate) text: String,
    pub(crate) position: Position,
    pub(crate) message: String,
}

/// Is a definition's file.
pub(crate) struct Document {
    text: String,
    /// What was made of it, if it is YAML.
    converted: Option<Converted>,
}

impl Document {
    /// Takes the text of a file; its name says whether it is YAML.
    pub(crate) fn read(file: &Path, text: String) -> Result<Self, Fault> {
        let is_yaml = file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        if !is_yaml {
            return Ok(Self { text, converted: None });
        }
        match yaml::convert(&text) {
            Ok(converted) => Ok(Self { text, converted: Some(converted) }),
            Err((message, position)) => Err(Fault { text, position, message }),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn json(&self) -> &str {
        self.converted.as_ref().map_or(&self.text, |converted| &converted.json)
    }

    /// Finds where a finding is: the field that it names, if it names one, or else the value.
    pub(crate) fn position(&self, finding: &Diagnostic) -> Option<Position> {
        let place = finding.pointer.as_deref()?;
        if finding.code == asl::Code::InvalidJsonDescription {
            return spelled_out(place);
        }
        let named = finding.message.split('\'').nth(1).map(|name| match place {
            "/" => format!("/{name}"),
            place => format!("{place}/{name}"),
        });
        named.and_then(|place| self.look_up(&place)).or_else(|| self.look_up(place))
    }

    fn look_up(&self, place: &str) -> Option<Position> {
        match &self.converted {
            Some(converted) => converted.positions.get(place).copied(),
            None => Some(position_of(&self.text, asl::locate(&self.text, place)?.start)),
        }
    }
}

/// Reads the place that AWS puts into words: `[Source: ..; line: 2, column: 9]`, which is behind what is wrong.
fn spelled_out(place: &str) -> Option<Position> {
    let (_, rest) = place.rsplit_once("line: ")?;
    let (line, rest) = rest.split_once(", column: ")?;
    let column: usize = rest.trim_end_matches(']').parse().ok()?;
    Some(Position { line: line.parse().ok()?, column: column.saturating_sub(1).max(1) })
}

fn position_of(text: &str, offset: usize) -> Position {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
}
