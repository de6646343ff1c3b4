//! What the cases are replayed against.

use std::fs;

use anyhow::{Context, Result, ensure};
use e2e::{Cluster, PATIENCE, Plan, Servers};
use support::{DataDir, Program, eventually, free_port};

use crate::balance::Balance;
use crate::neighbours::Neighbours;

/// Is a Stepwell that listens; it ends with this value.
#[derive(Debug)]
pub(crate) enum Target {
    /// One process.
    Dev { url: String, program: Program, _folder: DataDir },
    /// Coordinators and workers with servers of their own, behind one endpoint.
    Cluster { balance: Balance, cluster: Box<Cluster>, _servers: Servers, _folder: DataDir },
}

impl Target {
    /// Starts `stepwell dev` on a new folder.
    ///
    /// # Errors
    /// If it doesn't listen in time.
    pub(crate) async fn dev(neighbours: &Neighbours) -> Result<Self> {
        Program::build(["cli"]).await?;
        let folder = DataDir::new("conformance")?;
        let listen = format!("127.0.0.1:{}", free_port());
        let mut command = Program::command("stepwell")?.arg("dev").arg("--listen").arg(&listen);
        command = command.arg("--data").arg(folder.path());
        for (name, value) in neighbours.variables() {
            command = command.env(&name, value);
        }
        let program = command.current_dir(folder.path()).start()?;
        let says = || async { program.output().contains("Stepwell listens on") };
        eventually(PATIENCE, says, "stepwell dev listens").await.with_context(|| program.output())?;
        Ok(Self::Dev { url: format!("http://{listen}"), program, _folder: folder })
    }

    /// Starts two coordinators and two workers on a Redis and a RabbitMQ of their own.
    ///
    /// # Errors
    /// If one isn't ready in time.
    pub(crate) async fn cluster(neighbours: &Neighbours) -> Result<Self> {
        let (servers, folder) = (Servers::own().await?, DataDir::new("conformance")?);
        let handlers = folder.file("handlers.toml");
        fs::write(&handlers, "")?;
        let plan = Plan { coordinators: 2, workers: 2, handlers };
        let mut variables = neighbours.variables();
        variables.push(("STEPWELL_WORKER__LAMBDA".to_owned(), "true".to_owned()));
        let cluster = Cluster::start_with(&servers, &plan, &variables).await?;
        let api = cluster.api();
        let balance = Balance::start((0..plan.coordinators).map(|index| address(api.url(index))).collect()).await?;
        Ok(Self::Cluster { balance, cluster: Box::new(cluster), _servers: servers, _folder: folder })
    }

    /// Says what it is.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Target::Dev { .. } => "stepwell dev",
            Target::Cluster { .. } => "a cluster of two coordinators and two workers",
        }
    }

    /// Gives its endpoint.
    pub(crate) fn url(&self) -> &str {
        match self {
            Target::Dev { url, .. } => url,
            Target::Cluster { balance, .. } => balance.url(),
        }
    }

    /// Adds the end of its log to an error, and checks that it still runs and that nothing panicked.
    ///
    /// # Errors
    /// The given one, that it has ended, or that it panicked.
    pub(crate) fn finish<T>(&self, outcome: Result<T>) -> Result<T> {
        match self {
            Target::Cluster { cluster, .. } => cluster.finish(outcome),
            Target::Dev { program, .. } => {
                let value = outcome.with_context(|| program.output())?;
                ensure!(program.status()?.is_none(), "stepwell dev has ended:\n{}", program.output());
                ensure!(!program.output().contains("panicked at"), "it panicked:\n{}", program.output());
                Ok(value)
            }
        }
    }
}

/// Takes host and port out of a URL such as `http://127.0.0.1:8083/`.
fn address(url: &str) -> String {
    url.trim_start_matches("http://").trim_end_matches('/').to_owned()
}
