//! Coordinators and workers that belong together.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures::future::try_join_all;
use support::{Program, free_port, unique_name};

use crate::{Api, Member, Servers};

/// Is how large a cluster is and what its workers can do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How many coordinators it has.
    pub coordinators: usize,
    /// How many workers it has.
    pub workers: usize,
    /// The file that declares the workers' handlers.
    pub handlers: PathBuf,
}

/// Is a cluster with a database and a prefix of its own; its processes end when it is dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The coordinators, in the order of the client's.
    pub coordinators: Vec<Member>,
    /// The workers.
    pub workers: Vec<Member>,
    api: Api,
    shared: Vec<(String, String)>,
}

impl Cluster {
    /// Starts the processes and waits until all are ready.
    ///
    /// # Errors
    /// If one isn't in time.
    pub async fn start(servers: &Servers, plan: &Plan) -> Result<Self> {
        Self::start_with(servers, plan, &[]).await
    }

    /// Starts the processes with further variables and waits until all are ready.
    ///
    /// # Errors
    /// If one isn't in time.
    pub async fn start_with(servers: &Servers, plan: &Plan, variables: &[(String, String)]) -> Result<Self> {
        let cluster = Self::launch_with(servers, plan, variables).await?;
        cluster.ready().await?;
        Ok(cluster)
    }

    /// Starts the processes and doesn't wait for them: servers may be away.
    ///
    /// # Errors
    /// If a program can't be built or started.
    pub async fn launch(servers: &Servers, plan: &Plan) -> Result<Self> {
        Self::launch_with(servers, plan, &[]).await
    }

    async fn launch_with(servers: &Servers, plan: &Plan, variables: &[(String, String)]) -> Result<Self> {
        Program::build(["coordinator", "worker"]).await?;
        let prefix = unique_name("e2e");
        let shared = [
            ("STEPWELL_REDIS__URL", servers.fresh_database()),
            ("STEPWELL_REDIS__PREFIX", prefix.clone()),
            ("STEPWELL_AMQP__URL", servers.amqp_url()),
            ("STEPWELL_AMQP__PREFIX", prefix),
            ("STEPWELL_LOG__FORMAT", "text".to_owned()),
            // Whoever runs the tests may have credentials for AWS.
            ("STEPWELL_WORKER__LAMBDA", "false".to_owned()),
        ];
        let shared = shared.into_iter().map(|(name, value)| (name.to_owned(), value));
        let shared: Vec<(String, String)> = shared.chain(variables.iter().cloned()).collect();
        let mut cluster = Self { coordinators: Vec::new(), workers: Vec::new(), api: Api::new(Vec::new())?, shared };
        let mut urls = Vec::new();
        for _ in 0..plan.coordinators {
            urls.push(cluster.add_coordinator()?);
        }
        for _ in 0..plan.workers {
            cluster.add_worker(&plan.handlers)?;
        }
        cluster.api = Api::new(urls)?;
        Ok(cluster)
    }

    /// Starts one more worker, with these handlers, and doesn't wait for it.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn add_worker(&mut self, handlers: &Path) -> Result<()> {
        let handlers = handlers.to_str().context("the path of the handlers file isn't UTF-8")?.to_owned();
        let own = [("STEPWELL_WORKER__HANDLERS", handlers), ("STEPWELL_WORKER__CONCURRENCY", "64".to_owned())];
        let member = self.member("worker", own)?;
        self.workers.push(member);
        Ok(())
    }

    /// Waits until all processes are ready.
    ///
    /// # Errors
    /// If one isn't in time, or has ended.
    pub async fn ready(&self) -> Result<()> {
        try_join_all(self.members().map(Member::ready)).await?;
        Ok(())
    }

    /// Gives a client of its coordinators.
    pub fn api(&self) -> Api {
        self.api.clone()
    }

    /// Gives the variables that every process of it has.
    pub fn variables(&self) -> &[(String, String)] {
        &self.shared
    }

    /// Ends a test: adds the ends of the logs to its error, and checks that nothing panicked.
    ///
    /// # Errors
    /// The given one, or that a process panicked.
    pub fn finish<T>(&self, outcome: Result<T>) -> Result<T> {
        let healthy = self.members().try_for_each(Member::check_log);
        outcome.and_then(|value| healthy.map(|()| value)).with_context(|| self.last_lines())
    }

    fn add_coordinator(&mut self) -> Result<String> {
        let listen = format!("127.0.0.1:{}", free_port());
        let url = format!("http://{listen}/");
        let member = self.member("coordinator", [("STEPWELL_API__LISTEN", listen)])?;
        self.coordinators.push(member);
        Ok(url)
    }

    fn member<const N: usize>(&self, program: &'static str, own: [(&str, String); N]) -> Result<Member> {
        let listen = format!("127.0.0.1:{}", free_port());
        let ops = format!("http://{listen}");
        let own = own.into_iter().chain([("STEPWELL_OPS__LISTEN", listen)]);
        let own = own.map(|(name, value)| (name.to_owned(), value));
        Member::start(program, self.shared.iter().cloned().chain(own).collect(), ops)
    }

    fn members(&self) -> impl Iterator<Item = &Member> {
        self.coordinators.iter().chain(&self.workers)
    }

    fn last_lines(&self) -> String {
        self.members().map(Member::last_lines).collect::<Vec<_>>().join("\n")
    }
}
