//! What cargo knows of the workspace and its dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::deny::Deny;

/// The workspace with all packages that the platforms of deny.toml need.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// The folder of the root Cargo.toml.
    pub(crate) root: PathBuf,
    /// All packages, ours and others', by id.
    pub(crate) packages: BTreeMap<String, Package>,
    /// The rules of deny.toml.
    pub(crate) deny: Deny,
}

/// One package.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) id: String,
    pub(crate) license: Option<String>,
    /// `None` for a path in this workspace.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
    #[serde(default)]
    metadata: Option<serde_json::Value>,
    /// What it depends on.
    #[serde(skip)]
    pub(crate) edges: BTreeSet<Edge>,
    /// Whether it is one of ours.
    #[serde(skip)]
    pub(crate) is_member: bool,
}

/// One dependency of a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    /// The id of the package.
    pub(crate) to: String,
    /// The name by which sources know it.
    pub(crate) crate_name: String,
    /// Whether only tests, benches and examples see it.
    pub(crate) dev_only: bool,
}

impl Workspace {
    /// Asks `cargo metadata`, once a platform.
    pub(crate) fn load() -> Result<Self> {
        let root = root()?;
        let deny = Deny::load(&root.join("deny.toml"))?;
        let mut packages = BTreeMap::new();
        for target in &deny.graph.targets {
            merge(&mut packages, metadata(&root, target)?);
        }
        Ok(Self { root, packages, deny })
    }

    /// Gives our own packages, by name.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| package.is_member)
    }

    /// Gives everybody else's packages.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = &Package> {
        self.packages.values().filter(|package| !package.is_member)
    }

    /// Gives the paths of all files that git knows or would add, from the root.
    pub(crate) fn files(&self) -> Result<Vec<PathBuf>> {
        let output = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(&self.root)
            .output()
            .context("start git")?;
        ensure!(output.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout)?;
        let exists = |file: &PathBuf| self.root.join(file).is_file();
        Ok(text.split_terminator('\0').map(PathBuf::from).filter(exists).collect())
    }

    /// Reads a file named from the root; `None` if it isn't text.
    pub(crate) fn read(&self, file: &Path) -> Result<Option<String>> {
        let bytes = fs::read(self.root.join(file)).with_context(|| format!("read {}", file.display()))?;
        Ok(String::from_utf8(bytes).ok())
    }
}

impl Package {
    /// Gives the folder of its Cargo.toml.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }

    /// Gives the dependencies that are needed without being named in a source, as cargo-machete reads them too.
    pub(crate) fn unnamed_dependencies(&self) -> Vec<&str> {
        self.metadata
            .as_ref()
            .and_then(|metadata| metadata.pointer("/cargo-machete/ignored")?.as_array())
            .map(|names| names.iter().filter_map(serde_json::Value::as_str).collect())
            .unwrap_or_default()
    }
}

/// Gives the command that runs the cargo that runs us.
pub(crate) fn cargo() -> Command {
    Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

pub(crate) fn root() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("xtask lies in no workspace")?.to_owned())
}

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Debug, Deserialize)]
struct NodeDependency {
    name: String,
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// `None` for an ordinary dependency.
    kind: Option<String>,
}

fn metadata(root: &Path, target: &str) -> Result<Metadata> {
    let output = cargo()
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", target])
        .current_dir(root)
        .output()
        .context("start cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata --locked failed; if Cargo.lock is old, run cargo check and commit it:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn merge(packages: &mut BTreeMap<String, Package>, metadata: Metadata) {
    let mut edges: BTreeMap<String, BTreeSet<Edge>> =
        metadata.resolve.nodes.into_iter().map(|node| (node.id, node.deps.into_iter().map(edge).collect())).collect();
    for mut package in metadata.packages {
        package.is_member = metadata.workspace_members.contains(&package.id);
        let edges = edges.remove(&package.id).unwrap_or_default();
        packages.entry(package.id.clone()).or_insert(package).edges.extend(edges);
    }
}

fn edge(dependency: NodeDependency) -> Edge {
    Edge {
        dev_only: dependency.dep_kinds.iter().all(|kind| kind.kind.as_deref() == Some("dev")),
        to: dependency.pkg,
        crate_name: dependency.name,
    }
}

/// Workspaces made up for the tests of checks.
#[cfg(test)]
pub(crate) mod made_up {
    use super::*;

    /// Makes a workspace of our own crates `members` and others named in edges; an edge is `user -> used`, and
    /// `user ~> used` for tests only. A name may bear a version: `tokio@2`.
    pub(crate) fn workspace(members: &[&str], edges: &str, deny: Deny) -> Workspace {
        let mut packages: BTreeMap<String, Package> =
            members.iter().map(|name| (name.to_string(), package(name, true))).collect();
        for line in edges.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let dev_only = line.contains("~>");
            let (from, to) = line.split_once(if dev_only { " ~> " } else { " -> " }).expect("an edge has an arrow");
            packages.entry(to.to_owned()).or_insert_with(|| package(to, false));
            let crate_name = to.replace('-', "_");
            let edge = Edge { to: to.to_owned(), crate_name, dev_only };
            packages.entry(from.to_owned()).or_insert_with(|| package(from, false)).edges.insert(edge);
        }
        Workspace { root: PathBuf::new(), packages, deny }
    }

    fn package(id: &str, is_member: bool) -> Package {
        let (name, version) = id.split_once('@').unwrap_or((id, "1"));
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            id: id.to_owned(),
            license: None,
            source: None,
            manifest_path: PathBuf::new(),
            metadata: None,
            edges: BTreeSet::new(),
            is_member,
        }
    }
}
