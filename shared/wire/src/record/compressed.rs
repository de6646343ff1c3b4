//! Large records, compressed.
//!
//! LZ4 because it costs about as much as copying the text to Redis does, and because its Rust form (lz4_flex) is
//! safe code without a C compiler. Better ratios cost ten times the time, on the path that every commit takes.

use std::borrow::Cow;

use super::RecordError;

/// A record of more bytes than this is compressed where that saves something.
const COMPRESS_OVER_BYTES: usize = 4 * 1024;
/// Is the first byte of a compressed record; JSON begins with `{`. The expanded size follows in 4 bytes, the lowest
/// first, then one LZ4 block.
const MARKER: u8 = 0x01;
/// No commit is larger: a size beyond it is a broken record, not a reason to ask for so much memory.
const EXPANDED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Compresses a record if it is large.
pub(super) fn pack(text: Vec<u8>) -> Vec<u8> {
    if text.len() <= COMPRESS_OVER_BYTES {
        return text;
    }
    let block = lz4_flex::block::compress_prepend_size(&text);
    if block.len() + 1 >= text.len() {
        return text;
    }
    let mut packed = Vec::with_capacity(block.len() + 1);
    packed.push(MARKER);
    packed.extend_from_slice(&block);
    packed
}

/// Expands a record if it is compressed.
pub(super) fn unpack(bytes: &[u8]) -> Result<Cow<'_, [u8]>, RecordError> {
    let Some((&MARKER, block)) = bytes.split_first() else { return Ok(Cow::Borrowed(bytes)) };
    let wrong = |why: String| RecordError::Compressed(why);
    let (size, block) = lz4_flex::block::uncompressed_size(block).map_err(|error| wrong(error.to_string()))?;
    if size > EXPANDED_BYTES_MAX {
        return Err(wrong(format!("it says that it expands to {size} bytes")));
    }
    lz4_flex::block::decompress(block, size).map(Cow::Owned).map_err(|error| wrong(error.to_string()))
}
