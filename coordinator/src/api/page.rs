//! Pages of lists that are merged from all partitions, and the tokens that lead from one to the next.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Timestamp;
use sha2::{Digest, Sha256};

use super::error::{ApiError, ErrorCode};

/// How many elements a page has where the caller does not say.
const PAGE_DEFAULT: usize = 100;
/// How long a token is good.
const LIFETIME_MILLIS: u64 = 24 * 60 * 60 * 1_000;
/// The bytes of the time that a token was made at.
const TIME: usize = 8;
/// The bytes of the seal. It binds a token to its list and shows a changed one; it keeps no secret.
const SEAL: usize = 16;

/// Gives how many elements a page has at most.
pub(super) fn size(max_results: Option<i64>) -> usize {
    max_results.and_then(|max| usize::try_from(max).ok()).filter(|max| *max > 0).unwrap_or(PAGE_DEFAULT)
}

/// Cuts a list of one element more than wanted to a page; tells whether there is more.
pub(super) fn cut<T>(elements: &mut Vec<T>, size: usize) -> bool {
    let has_more = elements.len() > size;
    elements.truncate(size);
    has_more
}

/// Makes the token that leads to what comes after `place` in a list; `list` names it with all that it is asked with.
pub(super) fn issue(list: &str, place: &str, now: Timestamp) -> String {
    let mut bytes = now.as_millis().to_be_bytes().to_vec();
    bytes.extend_from_slice(place.as_bytes());
    let seal = seal(&bytes, list);
    bytes.extend_from_slice(&seal);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a token back.
pub(super) fn redeem(token: &str, list: &str, now: Timestamp) -> Result<String, ApiError> {
    read(token, list, now).ok_or_else(|| ApiError::quoting(ErrorCode::InvalidToken, "Invalid Token", "Invalid token"))
}

fn read(token: &str, list: &str, now: Timestamp) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (content, sealed) = bytes.split_at_checked(bytes.len().checked_sub(SEAL)?)?;
    let (time, place) = content.split_at_checked(TIME)?;
    let issued = Timestamp::from_millis(i64::from_be_bytes(time.try_into().ok()?));
    if sealed != seal(content, list) || now.millis_since(issued) > LIFETIME_MILLIS {
        return None;
    }
    String::from_utf8(place.to_vec()).ok()
}

fn seal(content: &[u8], list: &str) -> Vec<u8> {
    let digest = Sha256::new().chain_update(content).chain_update(list).finalize();
    digest.iter().copied().take(SEAL).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn a_token_leads_back_to_its_place() {
        let token = issue("a list", "arn:é", NOW);
        assert_eq!(redeem(&token, "a list", NOW.plus_millis(1_000)).as_deref(), Ok("arn:é"));
    }

    #[test]
    fn other_tokens_are_refused() {
        let token = issue("a list", "arn", NOW);
        let refused = |token: &str, list: &str, after: i64| {
            let error = redeem(token, list, NOW.plus_millis(after)).expect_err("is refused");
            let told = (error.code, error.message.as_str());
            assert_eq!(told, (ErrorCode::InvalidToken, "Invalid Token: 'Invalid token'"), "{token}");
        };
        refused(&token, "another list", 0);
        refused(&token, "a list", 25 * 60 * 60 * 1_000);
        for wrong in ["", "x", "AAAA", "é", &token[1..], &token.replacen('A', "B", 1)] {
            refused(wrong, "a list", 0);
        }
    }

    #[test]
    fn a_page_is_as_large_as_asked_for() {
        assert_eq!([size(None), size(Some(0)), size(Some(7))], [100, 100, 7]);
        let mut list = vec![1, 2, 3];
        assert!(!cut(&mut list, 3) && cut(&mut list, 2));
        assert_eq!(list, [1, 2]);
    }
}
