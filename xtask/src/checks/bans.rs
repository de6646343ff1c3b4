//! The crates that deny.toml bans: wholly, outside of their wrappers, or twice.

use super::Check;
use crate::deny::Ban;
use crate::workspace::{Package, Workspace};

pub(crate) const CHECK: Check = Check {
    name: "bans",
    purpose: "no banned crate, and one version of what must be one",
    advice: "cargo tree --invert CRATE shows who wants it; the reason stands in [bans] of deny.toml",
    run: |workspace| Ok(find_all(workspace)),
};

fn find_all(workspace: &Workspace) -> Vec<String> {
    workspace.deny.bans.deny.iter().flat_map(|ban| find(workspace, ban)).collect()
}

fn find(workspace: &Workspace, ban: &Ban) -> Vec<String> {
    let versions: Vec<&Package> = workspace.packages.values().filter(|package| package.name == ban.name).collect();
    if ban.deny_multiple_versions {
        return doubled(&versions, ban).into_iter().collect();
    }
    versions.iter().flat_map(|package| used_by(workspace, package, ban)).collect()
}

fn doubled(versions: &[&Package], ban: &Ban) -> Option<String> {
    let numbers: Vec<&str> = versions.iter().map(|package| package.version.as_str()).collect();
    (numbers.len() > 1).then(|| format!("{} comes in {}: {}", ban.name, numbers.join(" and "), ban.reason))
}

fn used_by(workspace: &Workspace, banned: &Package, ban: &Ban) -> Vec<String> {
    workspace
        .packages
        .values()
        .filter(|user| user.edges.iter().any(|edge| edge.to == banned.id))
        .filter(|user| !ban.wrappers.contains(&user.name))
        .map(|user| format!("{} uses {} {}: {}", user.name, banned.name, banned.version, ban.reason))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::find_all;
    use crate::deny::Deny;
    use crate::workspace::made_up::workspace;

    #[test]
    fn bans_know_wrappers_and_versions() {
        let rules = r#"
            { crate = "openssl", reason = "no" },
            { crate = "redis", wrappers = ["store"], reason = "only store" },
            { crate = "tokio", deny-multiple-versions = true, reason = "two" },
        "#;
        let check = |edges: &str, expected: &[&str]| {
            assert_eq!(find_all(&workspace(&["store", "worker"], edges, Deny::banning(rules))), expected, "{edges}");
        };
        check("store -> redis", &[]);
        check("worker -> redis", &["worker uses redis 1: only store"]);
        check("worker ~> redis", &["worker uses redis 1: only store"]);
        check("worker -> http\nhttp -> openssl", &["http uses openssl 1: no"]);
        check("worker -> tokio\nstore -> tokio", &[]);
        check("worker -> tokio@1\nstore -> tokio@2", &["tokio comes in 1 and 2: two"]);
    }
}
