//! The scripts. The hash of a script is its version, so two releases run side by side on one Redis.

use std::sync::LazyLock;

use redis::Cmd;

/// Is a script with its hash.
pub(super) struct Script {
    pub(super) source: &'static str,
    hash: LazyLock<String>,
}

macro_rules! script {
    ($name:ident, $file:literal) => {
        pub(super) static $name: Script = Script {
            source: include_str!(concat!("scripts/", $file, ".lua")),
            hash: LazyLock::new(|| hash(include_str!(concat!("scripts/", $file, ".lua")))),
        };
    };
}

script!(ACTIVITY, "activity");
script!(COMMIT, "commit");
script!(CLEAN_UP, "clean_up");
script!(DEFINE, "define");
script!(DROP_TIMERS, "drop_timers");
script!(HOLD, "hold");
script!(MEMBERS, "members");
script!(RESOURCE, "resource");
script!(UNDEFINE, "undefine");

fn hash(source: &str) -> String {
    redis::Script::new(source).get_hash().to_owned()
}

impl Script {
    /// Begins a call with so many keys, which the caller adds before the arguments.
    pub(super) fn call(&self, keys: usize) -> Cmd {
        let mut cmd = redis::cmd("EVALSHA");
        cmd.arg(self.hash.as_str()).arg(keys);
        cmd
    }
}
