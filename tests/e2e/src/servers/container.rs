//! Servers in containers, started by testcontainers and harmed by the program `docker`.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use support::{eventually, free_port};
use testcontainers::core::IntoContainerPort as _;
use testcontainers::runners::AsyncRunner as _;
use testcontainers::{ContainerAsync, GenericImage, ImageExt as _};
use tokio::sync::Mutex;

use super::Server;

/// Generous: the machine may be building at the same time.
const START_TIMEOUT: Duration = Duration::from_secs(180);
/// Removes the container when the test process ends, however it does: containers in a `static` are never dropped.
const WATCHDOG: &str = r#"trap '' INT TERM HUP; read -r word; docker rm --force --volumes "$1""#;

/// Is which image is started, and how one sees that it is ready.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recipe {
    name: &'static str,
    tag: &'static str,
    port: u16,
    words: &'static [&'static str],
    says: &'static [u8],
    hears: &'static [u8],
}

/// Redis as Stepwell's default deployment has it.
pub(super) const REDIS: Recipe = Recipe {
    name: "redis",
    tag: "7",
    port: 6379,
    words: &[
        "redis-server",
        "--bind",
        "0.0.0.0",
        "--protected-mode",
        "no",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--maxmemory-policy",
        "noeviction",
        "--databases",
        "4096",
    ],
    says: b"PING\r\n",
    hears: b"+PONG",
};

/// RabbitMQ as its image comes. The first frame of an answer means that the node is up.
pub(super) const RABBITMQ: Recipe =
    Recipe { name: "rabbitmq", tag: "3", port: 5672, words: &[], says: b"AMQP\0\0\x09\x01", hears: &[1] };

/// Is a server in a container, at a port of this machine that stays the same; gone when it is dropped or the process ends.
#[derive(Debug)]
pub(super) struct Container {
    recipe: Recipe,
    port: u16,
    now: Mutex<Running>,
}

#[derive(Debug)]
struct Running {
    container: ContainerAsync<GenericImage>,
    watchdog: Child,
    // Its end is what the watchdog waits for.
    _pipe: Option<ChildStdin>,
}

impl Container {
    /// Starts one and waits until it answers.
    pub(super) async fn start(recipe: Recipe) -> Result<Self> {
        let port = free_port();
        let container = Self { recipe, port, now: Mutex::new(Running::start(recipe, port).await?) };
        container.ready().await?;
        Ok(container)
    }

    /// Gives its port on this machine.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    async fn ready(&self) -> Result<()> {
        let answers = || async { answers(self.port, self.recipe).unwrap_or(false) };
        eventually(START_TIMEOUT, answers, &format!("{} answers at port {}", self.recipe.name, self.port)).await
    }

    /// Runs `docker WORD ID`; `state` is what makes it unnecessary.
    async fn docker(&self, word: &str) -> Result<()> {
        docker(&[word, self.now.lock().await.container.id()]).map(drop)
    }

    async fn runs(&self) -> Result<bool> {
        let id = self.now.lock().await.container.id().to_owned();
        Ok(docker(&["inspect", "--format", "{{.State.Running}}", &id])? == "true")
    }

    fn docker_now(&self, word: &str) -> Result<()> {
        let now = self.now.try_lock().context("the container is being started")?;
        docker(&[word, now.container.id()]).map(drop)
    }
}

#[async_trait]
impl Server for Container {
    async fn kill(&self) -> Result<()> {
        if self.runs().await? { self.docker("kill").await } else { Ok(()) }
    }

    async fn stop(&self) -> Result<()> {
        self.docker("stop").await
    }

    async fn start_again(&self) -> Result<()> {
        self.docker("start").await?;
        self.ready().await
    }

    async fn start_empty(&self) -> Result<()> {
        ensure!(!self.runs().await?, "the server runs: stop or kill it first");
        let mut now = self.now.lock().await;
        docker(&["rm", "--force", "--volumes", now.container.id()])?;
        *now = Running::start(self.recipe, self.port).await?;
        drop(now);
        self.ready().await
    }

    fn freeze(&self) -> Result<()> {
        self.docker_now("pause")
    }

    fn thaw(&self) -> Result<()> {
        self.docker_now("unpause")
    }

    fn log_tail(&self) -> String {
        let Ok(now) = self.now.try_lock() else { return String::new() };
        docker(&["logs", "--tail", "50", now.container.id()]).unwrap_or_default()
    }
}

impl Running {
    async fn start(recipe: Recipe, port: u16) -> Result<Self> {
        let image = GenericImage::new(recipe.name, recipe.tag)
            .with_mapped_port(port, recipe.port.tcp())
            .with_cmd(recipe.words.iter().copied())
            .with_host_config_modifier(|host| {
                let bindings = host.port_bindings.iter_mut().flat_map(|ports| ports.values_mut()).flatten().flatten();
                bindings.for_each(|binding| binding.host_ip = Some("127.0.0.1".to_owned()));
            });
        let container = image.start().await.with_context(|| {
            format!("start a container of {}:{}; `cargo xtask images` makes the image", recipe.name, recipe.tag)
        })?;
        let mut watchdog = watch(container.id())?;
        let pipe = watchdog.stdin.take();
        Ok(Self { container, watchdog, _pipe: pipe })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self._pipe.take());
        let _ = self.watchdog.wait();
    }
}

fn watch(id: &str) -> io::Result<Child> {
    use std::os::unix::process::CommandExt as _;
    Command::new("sh")
        .args(["-c", WATCHDOG, "watchdog", id])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

fn docker(words: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(words).output().context("start the program docker")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "docker {} failed: {errors}", words.join(" "));
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// A mapped port takes connections before the server does, so only its answer counts.
fn answers(port: u16, recipe: Recipe) -> io::Result<bool> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(recipe.says)?;
    let mut answer = vec![0; recipe.hears.len()];
    stream.read_exact(&mut answer)?;
    Ok(answer == recipe.hears)
}
