//! Task tokens: what outsiders name an attempt by.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::{AttemptId, BranchPath, ExecutionArn};

/// The first byte of a token's content: the version of its form.
const VERSION: u8 = 1;
/// The bytes of the check sum at a token's end. It shows a changed or cut token; that nobody guesses one rests on the attempt's nonce.
const CHECK: usize = 8;

/// Is what a task token tells those who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskToken {
    /// The execution.
    pub execution: ExecutionArn,
    /// The branch.
    pub branch: BranchPath,
    /// The attempt.
    pub attempt: AttemptId,
}

impl TaskToken {
    /// Renders the token of an attempt: letters, digits, `-` and `_`, below 1024 of them unless the branch lies very deep.
    pub fn render(execution: &str, branch: &BranchPath, attempt: AttemptId) -> String {
        let mut content = vec![VERSION];
        content.extend_from_slice(format!("{attempt};{branch};{execution}").as_bytes());
        let check = check(&content);
        content.extend_from_slice(&check);
        URL_SAFE_NO_PAD.encode(content)
    }

    /// Reads a token; what is none gives `None`.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(CHECK)?)?;
        if sum != check(content) || content.first() != Some(&VERSION) {
            return None;
        }
        let mut parts = std::str::from_utf8(content.get(1..)?).ok()?.splitn(3, ';');
        let (attempt, branch) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { execution: ExecutionArn::parse(parts.next()?).ok()?, branch, attempt })
    }
}

fn check(content: &[u8]) -> [u8; CHECK] {
    let hash = content
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash.to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> TaskToken {
        TaskToken {
            execution: ExecutionArn::parse("arn:aws:states:us-east-1:123456789012:execution:M:é;1").expect("is an ARN"),
            branch: "r/4.2".parse().expect("is a path"),
            attempt: "3-00000000000000ff".parse().expect("is an attempt"),
        }
    }

    #[test]
    fn a_token_leads_back_to_its_attempt() {
        let TaskToken { execution, branch, attempt } = token();
        let text = TaskToken::render(execution.as_str(), &branch, attempt);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{text}");
        assert_eq!(TaskToken::parse(&text), Some(token()));
    }

    #[test]
    fn other_texts_are_no_tokens() {
        let TaskToken { execution, branch, attempt } = token();
        let text = TaskToken::render(execution.as_str(), &branch, attempt);
        let changed = text.replacen('A', "B", 1);
        for wrong in ["", "x", "AAAA", "é", "AAAAAAAAAAAAAAAAAAAAAA", &text[1..], &text[..text.len() - 1], &changed] {
            assert_eq!(TaskToken::parse(wrong), None, "{wrong}");
        }
    }
}
