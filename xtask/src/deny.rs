//! The rules of deny.toml, the part of cargo-deny's format that we use.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// All of deny.toml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deny {
    pub(crate) graph: Graph,
    pub(crate) licenses: Licenses,
    pub(crate) bans: Bans,
    #[serde(rename = "sources")]
    _sources: Sources,
}

/// What is looked at.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Graph {
    /// The platforms that we release for.
    pub(crate) targets: Vec<String>,
}

/// Which licences are fine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Licenses {
    pub(crate) allow: BTreeSet<String>,
    #[serde(default)]
    pub(crate) exceptions: Vec<LicenseException>,
}

/// Further licences for one crate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LicenseException {
    #[serde(rename = "crate")]
    pub(crate) name: String,
    pub(crate) allow: BTreeSet<String>,
}

/// Which crates are not.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Bans {
    #[serde(rename = "multiple-versions")]
    _multiple_versions: String,
    pub(crate) deny: Vec<Ban>,
}

/// One crate that is banned: wholly, but for direct use by its wrappers, or in more than one version.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Ban {
    #[serde(rename = "crate")]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) wrappers: Vec<String>,
    #[serde(default)]
    pub(crate) deny_multiple_versions: bool,
}

/// Where crates may come from: crates.io alone, whatever the words are, since only "deny" is understood.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sources {
    #[serde(rename = "unknown-registry")]
    _unknown_registry: Denied,
    #[serde(rename = "unknown-git")]
    _unknown_git: Denied,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Denied {
    Deny,
}

impl Deny {
    /// Reads the file.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("read {}", path.display()))
    }

    /// Reads the text of such a file.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// Makes rules that ban what the text says, as in deny.toml.
    #[cfg(test)]
    pub(crate) fn banning(bans: &str) -> Self {
        let text = format!(
            "graph.targets = []\nlicenses.allow = []\nbans.multiple-versions = \"allow\"\nbans.deny = [{bans}]\n\
             sources.unknown-registry = \"deny\"\nsources.unknown-git = \"deny\"\n"
        );
        Self::parse(&text).expect("the rules of a test can be read")
    }
}
