//! The servers that tests start: found, or installed.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// Program, Debian package, and where the package keeps the program beside PATH.
const SERVERS: [(&str, &str, &str); 3] = [
    ("redis-server", "redis-server", ""),
    ("redis-cli", "redis-tools", ""),
    ("rabbitmq-server", "rabbitmq-server", "/usr/lib/rabbitmq/bin"),
];
/// Packages ask it whether they may start their services.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const NO_SERVICES: &str = "#!/bin/sh\nexit 101\n";

/// Makes sure that Redis and RabbitMQ are there; installs them by apt-get if root may do so. Starts no service.
pub(crate) fn ensure() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let may_install = rustix::process::geteuid().is_root() && find("apt-get", "").is_some();
    if !may_install {
        bail!(
            "the tests need {list} on PATH. Install Redis 7 and RabbitMQ 3.10 or newer, for example by\n    \
             sudo apt-get install {list}        (Debian, Ubuntu)\n    brew install redis rabbitmq        (macOS)\n\
             and run this again. They need not run: tests start servers of their own."
        );
    }
    println!("==> installing {list}");
    install(&missing).with_context(|| format!("install {list}"))?;
    let still = self::missing();
    ensure!(still.is_empty(), "apt-get installed {list}, and yet {} is missing", still.join(" "));
    Ok(())
}

fn missing() -> Vec<&'static str> {
    SERVERS
        .iter()
        .filter(|(program, _, folder)| find(program, folder).is_none())
        .map(|&(_, package, _)| package)
        .collect()
}

fn find(program: &str, folder: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain([PathBuf::from(folder)])
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Tells whether a program is on PATH.
pub(crate) fn on_path(program: &str) -> bool {
    find(program, "").is_some()
}

/// Installs packages by apt-get, without starting their services.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let policy = Policy::set()?;
    apt_get(&["update", "--quiet"])?;
    apt_get(&[&["install", "--yes", "--quiet", "--no-install-recommends"], packages].concat())?;
    drop(policy);
    Ok(())
}

fn apt_get(words: &[&str]) -> Result<()> {
    let status = Command::new("apt-get")
        .args(words)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .context("start apt-get")?;
    ensure!(status.success(), "apt-get {} ended with {status}", words.join(" "));
    Ok(())
}

/// While it lives, packages start no services; a policy that was there before stays as it is.
struct Policy {
    ours: bool,
}

impl Policy {
    fn set() -> Result<Self> {
        let ours = !Path::new(POLICY).exists();
        if ours {
            fs::write(POLICY, NO_SERVICES)?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self { ours })
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}
