//! An ordered map of bytes, as a transaction sees it.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::Error;

/// Is in which order entries are visited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The least key first.
    Ascending,
    /// The greatest key first.
    Descending,
}

/// Takes one entry of a scan, and says whether to go on.
#[expect(unreachable_pub, reason = "it is part of a trait that bounds the type of a public store")]
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, Error> + 'a;

/// Reads entries.
pub trait View {
    /// Gives the value under a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Visits the entries whose keys are at least `from` and less than `to`.
    fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), Error>;
}

/// Reads and writes entries.
pub trait Map: View {
    /// Puts a value under a key.
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error>;

    /// Removes a key; one that is not there is none the worse.
    fn remove(&mut self, key: &[u8]) -> Result<(), Error>;
}

impl dyn View + '_ {
    /// Visits the entries whose keys begin so, in ascending order.
    pub(super) fn scan_prefix(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), Error> {
        self.scan(prefix, &after_prefix(prefix), Order::Ascending, visit)
    }

    /// Lists what follows the prefix in the keys that begin so, at most so many.
    pub(super) fn suffixes(&self, prefix: &[u8], max: usize) -> Result<Vec<Vec<u8>>, Error> {
        let mut found = Vec::new();
        if max == 0 {
            return Ok(found);
        }
        self.scan_prefix(prefix, &mut |key, _| {
            found.push(key.get(prefix.len()..).unwrap_or_default().to_vec());
            Ok(if found.len() < max { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }
}

/// Gives the least key that is greater than all that begin so.
pub(super) fn after_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    end
}

impl View for BTreeMap<Vec<u8>, Vec<u8>> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Error> {
        Ok(BTreeMap::get(self, key).cloned())
    }

    fn scan(&self, from: &[u8], to: &[u8], order: Order, visit: &mut Visit<'_>) -> Result<(), Error> {
        if from >= to {
            return Ok(());
        }
        let mut range = self.range(from.to_vec()..to.to_vec());
        let mut next = || if order == Order::Ascending { range.next() } else { range.next_back() };
        while let Some((key, value)) = next() {
            if visit(key, value)?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

impl Map for BTreeMap<Vec<u8>, Vec<u8>> {
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Error> {
        self.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), Error> {
        BTreeMap::remove(self, key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_begins() {
        assert_eq!(after_prefix(b"ab"), b"ac");
        assert_eq!(after_prefix(&[1, 255, 255]), [2]);
    }

    #[test]
    fn scans_go_either_way() {
        let mut map = BTreeMap::new();
        for key in [b"a1", b"a2", b"a3", b"b1"] {
            map.put(key, b"").expect("memory takes it");
        }
        let view: &dyn View = &map;
        assert_eq!(view.suffixes(b"a", 2).expect("reads"), [b"1", b"2"]);
        let mut seen = Vec::new();
        let mut visit = |key: &[u8], _: &[u8]| {
            seen.push(key.to_vec());
            Ok(ControlFlow::Continue(()))
        };
        view.scan(b"a2", b"b", Order::Descending, &mut visit).expect("reads");
        assert_eq!(seen, [b"a3", b"a2"]);
    }
}
