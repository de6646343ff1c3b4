//! Numbers that look like chance and follow from the execution's seed, so that a replay gets the same.

use asl::Chance;
use model::{BranchPath, Nonce};

/// Makes the seed of an execution out of texts that no other execution has all of.
pub fn seed<'a>(texts: impl IntoIterator<Item = &'a str>) -> Nonce {
    let bytes = texts.into_iter().flat_map(|text| text.bytes().chain([0]));
    Nonce(Chance::new(hash(bytes)).draw())
}

/// Begins a sequence for one use at one place: uses with other `numbers` don't see the same numbers.
pub(crate) fn sequence(seed: Nonce, path: &BranchPath, numbers: [u32; 2]) -> Chance {
    Chance::new(seed.0 ^ place(path, numbers))
}

/// Finds the seed whose sequence at a place begins with this number.
pub(crate) fn seed_of(first: Nonce, path: &BranchPath, numbers: [u32; 2]) -> Nonce {
    Nonce(Chance::state_before(first.0) ^ place(path, numbers))
}

fn place(path: &BranchPath, numbers: [u32; 2]) -> u64 {
    hash(path.as_str().bytes().chain(numbers.into_iter().flat_map(u32::to_le_bytes)))
}

/// Hashes by FNV-1a.
fn hash(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_of_a_number_is_found_again() {
        let path = BranchPath::root();
        for number in 0..100 {
            let first = Nonce(sequence(Nonce(number), &path, [3, 4]).draw());
            assert_eq!(seed_of(first, &path, [3, 4]), Nonce(number));
        }
    }

    #[test]
    fn seeds_differ_where_a_text_does() {
        assert_ne!(seed(["a", "b"]), seed(["ab", ""]));
        assert_ne!(seed(["a", "b"]), seed(["a", "c"]));
    }
}
