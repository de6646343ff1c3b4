//! Acknowledgements of one channel, as few frames as their order allows.

use std::collections::BTreeSet;

/// Is what one channel must still be told. Delivery tags count up from 1 on each channel.
#[derive(Debug, Default)]
pub(super) struct Acks {
    /// Everything up to here is acknowledged.
    floor: u64,
    /// What is acknowledged beyond it.
    beyond: BTreeSet<u64>,
}

/// Is one `basic.ack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ack {
    pub(super) tag: u64,
    /// Holds for all tags before as well.
    pub(super) multiple: bool,
}

impl Acks {
    /// Takes tags in any order and gives the frames that acknowledge them: one for all that follow on the floor without a gap,
    /// one for each of the others.
    pub(super) fn add(&mut self, tags: &mut [u64]) -> Vec<Ack> {
        tags.sort_unstable();
        let mut frames = Vec::new();
        let mut joined = None;
        for &tag in &*tags {
            self.rise();
            if tag == self.floor + 1 {
                // The frame names a tag of this call, since the server refuses one that it has forgotten already.
                joined = Some(Ack { tag, multiple: true });
                self.floor = tag;
            } else if tag > self.floor && self.beyond.insert(tag) {
                frames.push(Ack { tag, multiple: false });
            }
        }
        self.rise();
        frames.extend(joined);
        frames
    }

    /// Counts a tag as settled that the server was told of otherwise.
    pub(super) fn pass(&mut self, tag: u64) {
        if tag > self.floor {
            self.beyond.insert(tag);
        }
    }

    fn rise(&mut self) {
        while self.beyond.remove(&(self.floor + 1)) {
            self.floor += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(tag: u64) -> Ack {
        Ack { tag, multiple: false }
    }

    fn up_to(tag: u64) -> Ack {
        Ack { tag, multiple: true }
    }

    #[test]
    fn what_follows_without_a_gap_is_one_frame() {
        let mut acks = Acks::default();
        assert_eq!(acks.add(&mut [3, 1, 2]), [up_to(3)]);
        assert_eq!(acks.add(&mut [4]), [up_to(4)]);
        assert_eq!(acks.add(&mut []), []);
    }

    #[test]
    fn what_lies_beyond_a_gap_is_told_alone_and_once() {
        let mut acks = Acks::default();
        assert_eq!(acks.add(&mut [2, 4]), [one(2), one(4)]);
        // 2 and 4 are known already: the frame must not name them.
        assert_eq!(acks.add(&mut [1]), [up_to(1)]);
        assert_eq!(acks.add(&mut [3]), [up_to(3)]);
        assert_eq!(acks.add(&mut [5, 7]), [one(7), up_to(5)]);
        assert_eq!(acks.add(&mut [6]), [up_to(6)]);
        assert_eq!(acks.add(&mut [8]), [up_to(8)]);
    }

    #[test]
    fn what_was_given_back_is_not_acknowledged() {
        let mut acks = Acks::default();
        acks.pass(2);
        assert_eq!(acks.add(&mut [1, 3]), [up_to(3)]);
        acks.pass(4);
        acks.pass(1);
        assert_eq!(acks.add(&mut []), []);
        assert_eq!(acks.add(&mut [5]), [up_to(5)]);
    }

    #[test]
    fn the_same_tag_twice_is_told_once() {
        let mut acks = Acks::default();
        assert_eq!(acks.add(&mut [2, 2]), [one(2)]);
        assert_eq!(acks.add(&mut [1, 1]), [up_to(1)]);
        assert_eq!(acks.add(&mut [2]), []);
    }
}
