//! Numbers that look like chance and follow from the moment, so that a replay gets the same.

use asl::Chance;
use model::{BranchPath, Nonce};

/// Begins a sequence for one use at one place: uses with other `numbers` don't see the same numbers.
pub(crate) fn sequence(seed: Nonce, path: &BranchPath, numbers: [u32; 2]) -> Chance {
    let bytes = numbers.into_iter().flat_map(u32::to_le_bytes);
    let place = path
        .as_str()
        .bytes()
        .chain(bytes)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    Chance::new(seed.0 ^ place)
}
