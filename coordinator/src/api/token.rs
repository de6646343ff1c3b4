//! The page tokens of a history: opaque to callers, good for one execution and order, for a day as AWS's.

use model::{EventId, ExecutionArn, Timestamp};
use sha2::{Digest, Sha256};
use store::HistoryCursor;

use super::error::{ApiError, ErrorCode};

/// How long a token is good.
const LIFETIME_MILLIS: u64 = 24 * 60 * 60 * 1_000;
/// The bytes before the seal: event, chunk, time.
const CONTENT: usize = 24;
/// The bytes of the seal. It binds a token to its list and shows a changed one; it keeps no secret, since a forged token would show
/// nothing but the history that the request asks for anyway.
const SEAL: usize = 16;

/// Makes the token of the place where a list goes on.
pub(crate) fn issue(execution: &ExecutionArn, reverse: bool, next: HistoryCursor, now: Timestamp) -> String {
    let mut bytes = Vec::with_capacity(CONTENT + SEAL);
    bytes.extend(next.event.0.to_be_bytes());
    bytes.extend(next.chunk.to_be_bytes());
    bytes.extend(now.as_millis().to_be_bytes());
    let seal = seal(&bytes, execution, reverse);
    bytes.extend(seal);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a token back.
pub(crate) fn redeem(
    token: &str,
    execution: &ExecutionArn,
    reverse: bool,
    now: Timestamp,
) -> Result<HistoryCursor, ApiError> {
    let invalid = || ApiError::quoting(ErrorCode::InvalidToken, "Invalid Token", "Invalid token");
    let bytes = bytes(token).filter(|bytes| bytes.len() == CONTENT + SEAL).ok_or_else(invalid)?;
    let (content, sealed) = bytes.split_at(CONTENT);
    if sealed != seal(content, execution, reverse) {
        return Err(invalid());
    }
    let number = |index: usize| {
        let part = content.get(index * 8..index * 8 + 8).and_then(|part| part.try_into().ok());
        part.map(u64::from_be_bytes).ok_or_else(invalid)
    };
    let issued = Timestamp::from_millis(i64::try_from(number(2)?).map_err(|_| invalid())?);
    if now.millis_since(issued) > LIFETIME_MILLIS {
        return Err(invalid());
    }
    Ok(HistoryCursor { event: EventId(number(0)?), chunk: number(1)? })
}

fn seal(content: &[u8], execution: &ExecutionArn, reverse: bool) -> Vec<u8> {
    let digest = Sha256::new()
        .chain_update(content)
        .chain_update([u8::from(reverse)])
        .chain_update(execution.as_str())
        .finalize();
    digest.iter().copied().take(SEAL).collect()
}

fn bytes(token: &str) -> Option<Vec<u8>> {
    if !token.is_ascii() || !token.len().is_multiple_of(2) || token.bytes().any(|byte| !byte.is_ascii_hexdigit()) {
        return None;
    }
    (0..token.len()).step_by(2).map(|at| u8::from_str_radix(token.get(at..at + 2)?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const NEXT: HistoryCursor = HistoryCursor { event: EventId(101), chunk: 17 };

    fn arn(name: &str) -> ExecutionArn {
        let text = format!("arn:aws:states:us-east-1:123456789012:execution:Orders:{name}");
        ExecutionArn::parse(&text).expect("is an ARN")
    }

    #[test]
    fn a_token_leads_back_to_its_place() {
        let token = issue(&arn("a"), false, NEXT, NOW);
        assert_eq!(redeem(&token, &arn("a"), false, NOW.plus_millis(1_000)), Ok(NEXT));
    }

    #[test]
    fn other_tokens_are_refused() {
        let token = issue(&arn("a"), false, NEXT, NOW);
        let refused = |token: &str, execution: &str, reverse: bool, after: i64| {
            let error = redeem(token, &arn(execution), reverse, NOW.plus_millis(after)).expect_err("is refused");
            assert_eq!(
                (error.code, error.message.as_str()),
                (ErrorCode::InvalidToken, "Invalid Token: 'Invalid token'")
            );
        };
        refused(&token, "b", false, 0);
        refused(&token, "a", true, 0);
        refused(&token, "a", false, 25 * 60 * 60 * 1_000);
        for wrong in ["", "x", "00", "é0", "zz", &token.replacen('0', "1", 1), &token[2..], &format!("{token}00")] {
            refused(wrong, "a", false, 0);
        }
    }
}
