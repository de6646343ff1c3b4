//! `cargo xtask images`: the images that tests and compose use, made from Debian's packages where no registry of images is
//! reached.
//!
//! ```text
//! debian:bookworm-slim  pulled, else debootstrap → docker import
//!   ├── redis:7         deploy/images/redis.Dockerfile
//!   ├── rabbitmq:3      deploy/images/rabbitmq.Dockerfile
//!   ├── haproxy:2       deploy/images/haproxy.Dockerfile
//!   └── rust:…          deploy/images/rust.Dockerfile, with this machine's toolchain: Stepwell's own image is built from it
//! ```

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::servers;
use crate::workspace::root;

const BASE: &str = "debian:bookworm-slim";
const SUITE: &str = "bookworm";
/// Where the recipes are.
const FOLDER: &str = "deploy/images";
/// Image and recipe. The first two are what tests start.
const IMAGES: [(&str, &str); 3] =
    [("redis:7", "redis.Dockerfile"), ("rabbitmq:3", "rabbitmq.Dockerfile"), ("haproxy:2", "haproxy.Dockerfile")];

/// The recipe of the image with the toolchain.
const TOOLCHAIN: &str = "rust.Dockerfile";

/// Where Debian has what it trusts: who needs this image may reach crates by a mirror of their own.
const CERTIFICATES: &str = "/etc/ssl/certs";

/// Makes the images that are not there; with `again` all but the base.
pub(crate) fn run(again: bool) -> Result<bool> {
    if let Some(why) = no_engine() {
        bail!("{why}. Start one (Debian package docker.io, program dockerd) and run this again.");
    }
    for (image, recipe) in IMAGES {
        if !again && is_there(image) {
            println!("==> {image} is there");
            continue;
        }
        base()?;
        println!("==> making {image} from {FOLDER}/{recipe}");
        build(image, recipe)?;
    }
    let image = toolchain_image()?;
    if !again && is_there(&image) {
        println!("==> {image} is there");
    } else {
        base()?;
        println!("==> making {image} from {FOLDER}/{TOOLCHAIN}");
        build_toolchain(&image)?;
    }
    println!("==> Stepwell's own image: docker build --network host --tag stepwell .");
    Ok(true)
}

/// Names the image that Stepwell's own is built from.
fn toolchain_image() -> Result<String> {
    let text = std::fs::read_to_string(root()?.join("Dockerfile")).context("read Dockerfile")?;
    let image = text.lines().find_map(|line| line.strip_prefix("ARG RUST_IMAGE="));
    Ok(image.context("Dockerfile names no RUST_IMAGE")?.to_owned())
}

/// Makes an image of the toolchain that cargo uses here.
fn build_toolchain(image: &str) -> Result<()> {
    let asked = Command::new("rustc").args(["--print", "sysroot"]).output().context("start rustc")?;
    let toolchain = String::from_utf8(asked.stdout).context("read where the toolchain is")?;
    let mut tar = Command::new("tar")
        .args(["--exclude=lib/rustlib/src", "-c", "-C", toolchain.trim(), "bin", "lib", "-C"])
        .arg(root()?.join(FOLDER))
        .arg(TOOLCHAIN)
        .args(["-C", CERTIFICATES, "ca-certificates.crt"])
        .stdout(Stdio::piped())
        .spawn()
        .context("start tar")?;
    let archive = tar.stdout.take().context("tar has no output")?;
    let arguments = ["build", "--quiet", "--network", "host", "--tag", image, "--file", TOOLCHAIN, "-"];
    loudly(Command::new("docker").args(arguments).stdin(archive))?;
    ensure!(tar.wait()?.success(), "tar failed");
    Ok(())
}

/// Tells why tests can't use containers: no engine, or an image that they need is missing. `None`: they can.
pub(crate) fn why_not() -> Option<String> {
    no_engine().or_else(|| {
        let missing: Vec<&str> = IMAGES[..2].iter().map(|(image, _)| *image).filter(|image| !is_there(image)).collect();
        let list = missing.join(" and ");
        (!missing.is_empty()).then(|| format!("Docker has no image {list} (`cargo xtask images` makes them)"))
    })
}

fn no_engine() -> Option<String> {
    match quietly(Command::new("docker").args(["version", "--format", "{{.Server.Version}}"])) {
        Ok(true) => None,
        Ok(false) => Some("no Docker engine answers".to_owned()),
        Err(_) => Some("the program docker is not on PATH".to_owned()),
    }
}

fn is_there(image: &str) -> bool {
    quietly(Command::new("docker").args(["image", "inspect", image])).unwrap_or(false)
}

fn build(image: &str, recipe: &str) -> Result<()> {
    let folder = root()?.join(FOLDER);
    let mut command = Command::new("docker");
    command
        .args(["build", "--quiet", "--network", "host", "--tag", image, "--file"])
        .arg(folder.join(recipe))
        .arg(folder);
    loudly(&mut command)
}

/// Pulls the image that the others are made from, or makes it by debootstrap.
fn base() -> Result<()> {
    if is_there(BASE) {
        return Ok(());
    }
    println!("==> getting {BASE}");
    if quietly(Command::new("docker").args(["pull", BASE]))? {
        return Ok(());
    }
    ensure!(
        rustix::process::geteuid().is_root() && servers::on_path("apt-get"),
        "{BASE} can't be pulled, and only root on Debian or Ubuntu can make it: docker pull {BASE}"
    );
    if !servers::on_path("debootstrap") {
        servers::install(&["debootstrap"])?;
    }
    println!("==> no registry of images is reached: making {BASE} from Debian's packages");
    let folder = std::env::temp_dir().join(format!("stepwell-base-{}", std::process::id()));
    let made = bootstrap(&folder).and_then(|()| import(&folder));
    let _ = std::fs::remove_dir_all(&folder);
    made
}

fn bootstrap(folder: &Path) -> Result<()> {
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", "--include=ca-certificates", SUITE]).arg(folder);
    if let Some(mirror) = mirror()? {
        command.arg(mirror);
    }
    loudly(command.stdout(Stdio::null()))
}

/// Gives the mirror that this machine's packages come from, if it has this release.
fn mirror() -> Result<Option<String>> {
    let codename = format!("Codename: {SUITE}");
    let words = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", &codename];
    let output = Command::new("apt-get").args(words).output().context("start apt-get")?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().map(str::to_owned))
}

fn import(folder: &Path) -> Result<()> {
    let mut tar = Command::new("tar")
        .args(["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "-c", "."])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .context("start tar")?;
    let archive = tar.stdout.take().context("tar has no output")?;
    loudly(Command::new("docker").args(["import", "-", BASE]).stdin(archive))?;
    ensure!(tar.wait()?.success(), "tar failed");
    Ok(())
}

fn quietly(command: &mut Command) -> Result<bool> {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    Ok(status.success())
}

fn loudly(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("start {}", command.get_program().display()))?;
    ensure!(status.success(), "{} ended with {status}", command.get_program().display());
    Ok(())
}
