//! A private `rabbitmq-server`.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::task;

use crate::data_dir::DataDir;
use crate::group::ProcessGroup;
use crate::names::{free_port, is_free, unique_name};
use crate::wait::poll_blocking;

const CONSOLE: &str = "console.log";
/// The folder of all that the server keeps.
const MNESIA: &str = "mnesia";
const LOG: &str = "rabbit.log";
/// It takes 3 s alone on a quiet machine; builds and other servers may run at the same time.
const START_TIMEOUT: Duration = Duration::from_secs(180);
const STOP_TIMEOUT: Duration = Duration::from_secs(60);
/// Another process may take a port between our look and the server's bind.
const START_TRIES: u32 = 3;
/// Debian keeps the real scripts here; those on PATH are wrappers that change the user.
const SCRIPT_FOLDERS: [&str; 2] = ["/usr/lib/rabbitmq/bin", "/usr/local/lib/rabbitmq/bin"];
/// Secures nothing: the node listens on loopback only.
const COOKIE: &str = "stepwell-tests";
/// epmd is ours and stays in the foreground, so that it ends with the group; the shell becomes the server.
const LAUNCH: &str = r#"epmd -address 127.0.0.1 -port "$ERL_EPMD_PORT" & exec "$0""#;

/// A private RabbitMQ node on loopback ports, with an epmd, a cookie and data of its own, killed when its last
/// clone is dropped. Stopping and starting keeps ports and data. The user is guest with password guest.
#[derive(Debug, Clone)]
pub struct RabbitServer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    scripts: PathBuf,
    node: String,
    port: u16,
    distribution_port: u16,
    epmd_port: u16,
    // Before the folder, so that the processes are gone when it is removed.
    group: Mutex<Option<ProcessGroup>>,
    data: DataDir,
}

impl RabbitServer {
    /// Starts `rabbitmq-server`, from /usr/lib/rabbitmq or PATH, without plugins, and waits until it speaks AMQP.
    ///
    /// # Errors
    /// If it isn't there or doesn't speak AMQP within 180 s; the message has the end of its log.
    pub async fn start() -> Result<Self> {
        Self::start_with("").await
    }

    /// Starts it with further lines of `rabbitmq.conf`, such as `consumer_timeout = 5000`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(config: &str) -> Result<Self> {
        let config = config.to_owned();
        task::spawn_blocking(move || {
            let mut last = anyhow!("never tried");
            for _ in 0..START_TRIES {
                let server = Self(Arc::new(Inner::new(&config)?));
                match server.0.start() {
                    Ok(()) => return Ok(server),
                    Err(error) => last = error,
                }
            }
            Err(last)
        })
        .await?
    }

    /// Gives the URL of the virtual host `/`.
    pub fn amqp_url(&self) -> String {
        format!("{}/%2f", self.0.address())
    }

    /// Makes a virtual host in which guest may do everything, and gives its URL. The name consists of letters,
    /// digits, `-` and `_`; making it twice is harmless.
    ///
    /// # Errors
    /// If the name has other characters, or the server doesn't run.
    pub async fn vhost(&self, name: &str) -> Result<String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        ensure!(!name.is_empty() && name.chars().all(plain), "{name:?} is no plain name");
        let code = format!(
            r#"V = <<"{name}">>, A = <<".*">>, S = <<"stepwell">>, rabbit_vhost:add(V, S), rabbit_auth_backend_internal:set_permissions(<<"guest">>, V, A, A, A, S)."#
        );
        let said = self.control(&["eval", &code]).await?;
        ensure!(said == "ok", "making the virtual host {name} gave {said}");
        Ok(format!("{}/{name}", self.0.address()))
    }

    /// Makes a virtual host with a name that no other call gives, and gives its URL.
    ///
    /// # Errors
    /// As [`Self::vhost`].
    pub async fn fresh_vhost(&self) -> Result<String> {
        self.vhost(&unique_name("test")).await
    }

    /// Runs `rabbitmqctl --quiet` on this node and gives what it prints, trimmed. A node that speaks AMQP already but isn't
    /// fully booted is waited for.
    ///
    /// # Errors
    /// If it fails; the message has what it said.
    pub async fn control(&self, words: &[&str]) -> Result<String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        self.blocking(move |inner| {
            if inner.group().is_some() {
                inner.control(&["await_startup".to_owned()])?;
            }
            inner.control(&words)
        })
        .await
    }

    /// Gives the AMQP port.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Gives the process id of the Erlang machine, or `None` while it is stopped.
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
    /// If it doesn't end within 60 s.
    pub async fn stop(&self) -> Result<()> {
        self.blocking(Inner::stop).await
    }

    /// Starts a stopped server again, with the same ports and data. Does nothing if it runs.
    ///
    /// # Errors
    /// If it doesn't speak AMQP within 180 s.
    pub async fn start_again(&self) -> Result<()> {
        self.blocking(Inner::start).await
    }

    /// Deletes all data of a stopped server: queues, messages, virtual hosts. It starts again as a new one does.
    ///
    /// # Errors
    /// If the server runs, or the data can't be deleted.
    pub async fn wipe(&self) -> Result<()> {
        self.blocking(|inner| {
            ensure!(inner.group().is_none(), "the server runs: stop or kill it first");
            Ok(fs::remove_dir_all(inner.data.file(MNESIA))?)
        })
        .await
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

    /// Gives the end of the server's log.
    pub fn log_tail(&self) -> String {
        self.0.log_tail()
    }

    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Inner) -> Result<T> + Send + 'static) -> Result<T> {
        let inner = Arc::clone(&self.0);
        task::spawn_blocking(move || work(&inner)).await?
    }
}

impl Inner {
    fn new(config: &str) -> Result<Self> {
        let inner = Self {
            scripts: scripts()?,
            node: format!("{}@localhost", unique_name("stepwell")),
            port: free_port(),
            distribution_port: free_port(),
            epmd_port: free_port(),
            group: Mutex::new(None),
            data: DataDir::new("rabbit")?,
        };
        let base = format!(
            "listeners.tcp.1 = 127.0.0.1:{}\nloopback_users = none\nlog.file.level = warning\n\
             disk_free_limit.absolute = 50MB\n",
            inner.port
        );
        fs::write(inner.data.file("rabbitmq.conf"), base + config + "\n")?;
        fs::write(inner.data.file("enabled_plugins"), "[].\n")?;
        Ok(inner)
    }

    fn address(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}", self.port)
    }

    fn start(&self) -> Result<()> {
        let mut group = self.group();
        if group.is_some() {
            return Ok(());
        }
        for port in [self.port, self.distribution_port, self.epmd_port] {
            poll_blocking(STOP_TIMEOUT, || is_free(port).then_some(()))
                .with_context(|| format!("port {port} is in use"))?;
        }
        let mut started = self.spawn()?;
        self.await_ready(&mut started)
            .with_context(|| format!("rabbitmq-server didn't start; its log ends with:\n{}", self.log_tail()))?;
        *group = Some(started);
        Ok(())
    }

    fn spawn(&self) -> Result<ProcessGroup> {
        let console = File::options().create(true).append(true).open(self.data.file(CONSOLE))?;
        let mut command = Command::new("sh");
        command
            .args(["-c", LAUNCH])
            .arg(self.scripts.join("rabbitmq-server"))
            .stdout(console.try_clone()?)
            .stderr(console);
        self.set_environment(&mut command);
        Ok(ProcessGroup::spawn(&mut command, Some(self.data.path()))?)
    }

    fn set_environment(&self, command: &mut Command) {
        let file = |name: &str| self.data.file(name).into_os_string();
        command
            .current_dir(self.data.path())
            .env("HOME", self.data.path())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq.conf"))
            .env("RABBITMQ_ADVANCED_CONFIG_FILE", file("advanced.config"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins"))
            .env("RABBITMQ_FEATURE_FLAGS_FILE", file("feature_flags"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", file("generated"))
            .env("RABBITMQ_MNESIA_BASE", file(MNESIA))
            .env("RABBITMQ_MNESIA_DIR", file("mnesia/node"))
            .env("RABBITMQ_LOG_BASE", file("logs"))
            .env("RABBITMQ_LOGS", file(LOG))
            .env("RABBITMQ_PID_FILE", file("pid"))
            // Otherwise a rabbitmqctl that finds the node down starts an epmd that nobody ends.
            .env("ERL_FLAGS", "-start_epmd false")
            // With it the script becomes the Erlang machine instead of staying as its parent, so that signals reach it.
            .env("RABBITMQ_ALLOW_INPUT", "true")
            .env("RABBITMQ_SERVER_START_ARGS", "-noinput")
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                format!("-setcookie {COOKIE} -kernel inet_dist_use_interface {{127,0,0,1}}"),
            );
    }

    fn await_ready(&self, group: &mut ProcessGroup) -> Result<()> {
        let outcome = poll_blocking(START_TIMEOUT, || match group.status() {
            Ok(Some(status)) => Some(Err(anyhow!("it ended with {status}"))),
            Err(error) => Some(Err(error.into())),
            Ok(None) => speaks_amqp(self.port).then_some(Ok(())),
        });
        outcome.unwrap_or_else(|| bail!("it didn't speak AMQP within {START_TIMEOUT:?}"))
    }

    fn stop(&self) -> Result<()> {
        let Some(mut group) = self.group().take() else {
            return Ok(());
        };
        group.terminate()?;
        group.wait(STOP_TIMEOUT)?.context("rabbitmq-server didn't end after SIGTERM")?;
        Ok(())
    }

    fn control(&self, words: &[String]) -> Result<String> {
        let mut command = Command::new(self.scripts.join("rabbitmqctl"));
        command.args(["--quiet", "--node", &self.node, "--erlang-cookie", COOKIE]).args(words);
        self.set_environment(&mut command);
        let output = command.output().context("start rabbitmqctl")?;
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ensure!(
            output.status.success(),
            "rabbitmqctl {words:?} failed: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(text)
    }

    fn log_tail(&self) -> String {
        self.data.tail(CONSOLE) + &self.data.tail(LOG)
    }

    fn group(&self) -> MutexGuard<'_, Option<ProcessGroup>> {
        self.group.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn scripts() -> Result<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    SCRIPT_FOLDERS
        .iter()
        .map(PathBuf::from)
        .chain(std::env::split_paths(&on_path))
        .find(|folder| has_server(folder))
        .context("rabbitmq-server (Debian package rabbitmq-server) is neither in /usr/lib/rabbitmq/bin nor on PATH")
}

fn has_server(folder: &Path) -> bool {
    folder.join("rabbitmq-server").is_file() && folder.join("rabbitmqctl").is_file()
}

/// The node accepts connections only after its boot, so the first frame of an answer means that it is up.
fn speaks_amqp(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"AMQP\0\0\x09\x01")?;
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        Ok(kind == [1])
    };
    ask().unwrap_or(false)
}
