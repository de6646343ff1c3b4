//! Texts that are used but not shown.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// Is what stands where a secret is.
const HIDDEN: &str = "(hidden)";

/// Is a text that is shown nowhere: neither printed, nor serialised, nor in a debug form.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Gives the text to whoever has to use it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_empty() { "" } else { HIDDEN })
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Is a URL whose password is shown nowhere.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Url(String);

impl Url {
    /// Gives the URL with its password to whoever has to use it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Url {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((scheme, rest)) = self.0.split_once("://") else { return formatter.write_str(&self.0) };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        // A password may hold a stray `/` that should have been escaped: hide up to the last `@` in that case, too.
        let user_info = rest[..end].rfind('@').or_else(|| rest.rfind('@'));
        match user_info.and_then(|at| rest[..at].split_once(':').map(|(user, _)| (user, &rest[at..]))) {
            Some((user, host)) => write!(formatter, "{scheme}://{user}:{HIDDEN}{host}"),
            None => formatter.write_str(&self.0),
        }
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_hides_its_password_only() {
        let check = |url: &str, shown: &str| {
            assert_eq!(Url::from(url).to_string(), shown);
            assert_eq!(format!("{:?}", Url::from(url)), shown);
            assert_eq!(Url::from(url).expose(), url);
        };
        check("amqp://guest:gu:est@host:5672/%2f", "amqp://guest:(hidden)@host:5672/%2f");
        check("amqp://u:p/@ss@host", "amqp://u:(hidden)@host");
        check("amqp://u:p@ss@host/v", "amqp://u:(hidden)@host/v");
        check("redis://:word@host/0", "redis://:(hidden)@host/0");
        check("redis://host:6379/0", "redis://host:6379/0");
        check("redis://user@host:6379/0", "redis://user@host:6379/0");
        check("not a url", "not a url");
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let secret = Secret::from("word");
        assert_eq!(format!("{secret} {secret:?} {}", serde_json::json!(secret)), "(hidden) (hidden) \"(hidden)\"");
        assert_eq!(Secret::default().to_string(), "");
    }
}
