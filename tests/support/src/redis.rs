//! A private `redis-server`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::task;

use crate::data_dir::DataDir;
use crate::group::ProcessGroup;
use crate::names::{free_port, is_free};
use crate::wait::poll_blocking;

const LOG: &str = "redis.log";
/// Generous: the machine may be building at the same time, and a long append-only file takes its time.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Another process may take a port between our look and the server's bind.
const START_TRIES: u32 = 3;
/// So many tests can have a database of their own.
const DATABASES: u32 = 4_096;

/// How often Redis calls fsync on its append-only file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AppendFsync {
    /// Before each answer.
    #[default]
    Always,
    /// Once a second.
    EverySecond,
    /// When the system likes.
    Never,
}

/// How the server is started. The default is what Stepwell's default deployment uses.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// Whether there is an append-only file; without it a restart loses all data.
    pub append_only: bool,
    /// How often the append-only file is synced.
    pub append_fsync: AppendFsync,
    /// The limit of memory in bytes; none by default.
    pub max_memory_bytes: Option<u64>,
    /// What Redis does at the limit; `noeviction` by default.
    pub max_memory_policy: String,
    /// Whether the server is a node of a Redis Cluster.
    pub cluster_enabled: bool,
    /// Further settings as in `redis.conf`: name and value.
    pub extra: Vec<(String, String)>,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            append_only: true,
            append_fsync: AppendFsync::default(),
            max_memory_bytes: None,
            max_memory_policy: "noeviction".to_owned(),
            cluster_enabled: false,
            extra: Vec::new(),
        }
    }
}

/// A private Redis server on a loopback port and with data of its own, killed when its last clone is dropped.
/// Stopping and starting keeps port and data.
#[derive(Debug, Clone)]
pub struct RedisServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    port: u16,
    options: RedisOptions,
    databases_given: AtomicU32,
    // Before the folder, so that the processes are gone when it is removed.
    group: Mutex<Option<ProcessGroup>>,
    data: DataDir,
}

impl RedisServer {
    /// Starts `redis-server` from PATH and waits until it answers.
    ///
    /// # Errors
    /// If it isn't there or doesn't answer within 60 s; the message has the end of its log.
    pub async fn start(options: RedisOptions) -> Result<Self> {
        task::spawn_blocking(move || {
            let mut last = anyhow!("never tried");
            for _ in 0..START_TRIES {
                let server = Self(Arc::new(Inner::new(options.clone())?));
                match server.0.start() {
                    Ok(()) => return Ok(server),
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
        .await?
    }

    /// Gives the URL of database 0: `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.0.port)
    }

    /// Gives the URL of a database that no other call gave: `redis://127.0.0.1:PORT/N`.
    ///
    /// # Panics
    /// After 4,095 calls.
    pub fn fresh_database(&self) -> String {
        let number = 1 + self.0.databases_given.fetch_add(1, Ordering::Relaxed);
        assert!(number < DATABASES, "a server has {DATABASES} databases");
        format!("{}/{number}", self.url())
    }

    /// Gives the TCP port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Gives the process id, or `None` while it is stopped.
    pub fn pid(&self) -> Option<u32> {
        self.0.group().as_ref().map(ProcessGroup::pid)
    }

    /// Kills the server as a power cut would (SIGKILL) and starts it again.
    ///
    /// # Errors
    /// If it doesn't come back.
    pub async fn restart(&self) -> Result<()> {
        self.kill().await?;
        self.start_again().await
    }

    /// Kills the server (SIGKILL). Does nothing if it is stopped.
    ///
    /// # Errors
    /// Never, but for a runtime that shuts down.
    pub async fn kill(&self) -> Result<()> {
        self.blocking(|inner| {
            inner.group().take();
            Ok(())
        })
        .await
    }

    /// Stops the server in order (SIGTERM). Does nothing if it is stopped.
    ///
    /// # Errors
    /// If it doesn't end within 30 s.
    pub async fn stop(&self) -> Result<()> {
        self.blocking(Inner::stop).await
    }

    /// Starts a stopped server again, with the same port and data. Does nothing if it runs.
    ///
    /// # Errors
    /// If it doesn't answer within 60 s.
    pub async fn start_again(&self) -> Result<()> {
        self.blocking(Inner::start).await
    }

    /// Freezes the server (SIGSTOP): connections stay open and nothing is answered, until [`Self::thaw`].
    ///
    /// # Errors
    /// If it is stopped.
    pub fn freeze(&self) -> Result<()> {
        Ok(self.0.group().as_mut().context("the server is stopped")?.freeze()?)
    }

    /// Lets a frozen server go on.
    ///
    /// # Errors
    /// If it is stopped.
    pub fn thaw(&self) -> Result<()> {
        Ok(self.0.group().as_mut().context("the server is stopped")?.thaw()?)
    }

    /// Runs one command by `redis-cli` and gives what it prints, without the last line end.
    ///
    /// # Errors
    /// If `redis-cli` fails, or Redis answers with an error.
    pub async fn command(&self, words: &[&str]) -> Result<String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        self.blocking(move |inner| cli(inner.port, &words)).await
    }

    /// Gives the end of the server's log.
    pub fn log_tail(&self) -> String {
        self.0.data.tail(LOG)
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> Result<T> + Send + 'static) -> Result<T> {
        let inner = Arc::clone(&self.0);
        task::spawn_blocking(move || work(&inner)).await?
    }
}

impl Inner {
    fn new(options: RedisOptions) -> Result<Self> {
        let inner = Self {
            port: free_port(),
            options,
            databases_given: AtomicU32::new(0),
            group: Mutex::new(None),
            data: DataDir::new("redis")?,
        };
        fs::write(inner.data.file("redis.conf"), inner.config())?;
        Ok(inner)
    }

    fn config(&self) -> String {
        let options = &self.options;
        let fsync = match options.append_fsync {
            AppendFsync::Always => "always",
            AppendFsync::EverySecond => "everysec",
            AppendFsync::Never => "no",
        };
        let yes_no = |on| if on { "yes" } else { "no" };
        let mut lines = vec![
            format!("port {}", self.port),
            "bind 127.0.0.1".to_owned(),
            "save \"\"".to_owned(),
            format!("appendonly {}", yes_no(options.append_only)),
            format!("appendfsync {fsync}"),
            format!("maxmemory {}", options.max_memory_bytes.unwrap_or(0)),
            format!("maxmemory-policy {}", options.max_memory_policy),
        ];
        if options.cluster_enabled {
            lines.push("cluster-enabled yes".to_owned());
            lines.push("cluster-node-timeout 5000".to_owned());
            lines.push(format!("cluster-port {}", free_port()));
        } else {
            lines.push(format!("databases {DATABASES}"));
        }
        lines.extend(options.extra.iter().map(|(name, value)| format!("{name} {value}")));
        lines.join("\n") + "\n"
    }

    fn start(&self) -> Result<()> {
        let mut group = self.group();
        if group.is_some() {
            return Ok(());
        }
        ensure!(
            poll_blocking(STOP_TIMEOUT, || is_free(self.port).then_some(())).is_some(),
            "port {} is in use",
            self.port
        );
        let mut started = self.spawn()?;
        self.await_ready(&mut started)
            .with_context(|| format!("redis-server didn't start; its log ends with:\n{}", self.data.tail(LOG)))?;
        *group = Some(started);
        Ok(())
    }

    fn spawn(&self) -> Result<ProcessGroup> {
        let log = File::options().create(true).append(true).open(self.data.file(LOG))?;
        let mut command = Command::new("redis-server");
        command.arg("redis.conf").current_dir(self.data.path()).stdout(log.try_clone()?).stderr(log);
        ProcessGroup::spawn(&mut command, Some(self.data.path()))
            .context("start redis-server (Debian package redis-server); is it on PATH?")
    }

    fn await_ready(&self, group: &mut ProcessGroup) -> Result<()> {
        let outcome = poll_blocking(START_TIMEOUT, || match group.status() {
            Ok(Some(status)) => Some(Err(anyhow!("it ended with {status}"))),
            Err(error) => Some(Err(error.into())),
            Ok(None) => answers_ping(self.port).then_some(Ok(())),
        });
        outcome.unwrap_or_else(|| bail!("it didn't answer PING within {START_TIMEOUT:?}"))
    }

    fn stop(&self) -> Result<()> {
        let Some(mut group) = self.group().take() else {
            return Ok(());
        };
        group.terminate()?;
        group.wait(STOP_TIMEOUT)?.context("redis-server didn't end after SIGTERM")?;
        Ok(())
    }

    fn group(&self) -> std::sync::MutexGuard<'_, Option<ProcessGroup>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answers_ping(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ask().unwrap_or(false)
}

pub(crate) fn cli(port: u16, words: &[String]) -> Result<String> {
    let output = Command::new("redis-cli")
        .args(["-h", "127.0.0.1", "-e", "-p", &port.to_string()])
        .args(words)
        .output()
        .context("start redis-cli (Debian package redis-tools); is it on PATH?")?;
    let text = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
    ensure!(output.status.success(), "redis-cli {words:?} failed: {text}{}", String::from_utf8_lossy(&output.stderr));
    Ok(text)
}
