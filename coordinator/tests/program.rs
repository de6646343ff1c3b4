//! The program `coordinator` as a process: its settings, and what it says of those that don't fit.

use std::path::PathBuf;
use std::process::{Command, Output};

fn coordinator() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_coordinator"));
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("STEPWELL_"));
    for name in ours {
        command.env_remove(name);
    }
    command
}

fn ended(command: &mut Command) -> (bool, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("is UTF-8");
    (status.success(), text(stdout), text(stderr))
}

fn settings_file(text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("stepwell-coordinator-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("can be written");
    path
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let file = settings_file(
        "[api]\nlisten = \"127.0.0.1:1\"\naccount = \"111111111111\"\nregion = \"eu-west-1\"\nlistn = \"x\"\n\
         [redis]\nurl = \"redis://:s3cr3t@h\"\n[worker]\npool = \"gpu\"\n",
    );
    let mut command = coordinator();
    command.args(["config", "print", "--listen", "127.0.0.1:3", "--config"]).arg(&file);
    command.env("STEPWELL_API__LISTEN", "127.0.0.1:2").env("STEPWELL_API__ACCOUNT", "222222222222");
    let (success, stdout, stderr) = ended(&mut command);
    std::fs::remove_file(file).expect("can be removed");
    assert!(success, "{stderr}");
    for part in ["listen = \"127.0.0.1:3\"", "account = \"222222222222\"", "region = \"eu-west-1\"", "(hidden)"] {
        assert!(stdout.contains(part), "{part}: {stdout}");
    }
    assert!(!stdout.contains("s3cr3t"), "{stdout}");
    assert!(stderr.contains("`api.listn`") && !stderr.contains("worker"), "{stderr}");
}

#[test]
fn an_error_says_which_setting_to_change() {
    for (name, value, expect) in [
        ("STEPWELL_API__ACCOUNT", "me", "api.account"),
        ("STEPWELL_DRIVER__SWEEP_EVERY", "0s", "driver.sweep_every"),
        ("STEPWELL_DRIVER__LEASE", "soon", "driver.lease"),
        ("STEPWELL_REDIS__CONNECTIONS", "99", "redis.connections"),
        ("STEPWELL_REDIS__MODE", "ring", "redis.mode"),
        ("STEPWELL_CONFIG", "no/such.toml", "no/such.toml"),
    ] {
        let (success, _, stderr) = ended(coordinator().args(["config", "print"]).env(name, value));
        assert!(!success && stderr.contains(expect), "{name}={value}: {stderr}");
    }
    let (success, _, stderr) = ended(coordinator().env("STEPWELL_AMQP__URL", "localhost"));
    assert!(!success && stderr.contains("amqp.url"), "{stderr}");
}
