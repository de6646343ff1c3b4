//! Where settings come from.

use std::path::PathBuf;

/// The variable that names the file of settings where no flag does; it is no setting itself.
const FILE_VARIABLE: &str = "STEPWELL_CONFIG";
/// What the names of all variables begin with.
const PREFIX: &str = "STEPWELL_";

/// Lists where settings come from, the weakest first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// What the program has for a default where it differs from the setting's own.
    pub defaults: Vec<Flag>,
    /// The file, in TOML. It must exist.
    pub file: Option<PathBuf>,
    /// Variables of the environment, by their whole names. Those that don't begin with `STEPWELL_` are passed over.
    pub environment: Vec<(String, String)>,
    /// Flags.
    pub flags: Vec<Flag>,
}

/// Is a setting given as a flag.
#[derive(Clone, Debug)]
pub struct Flag {
    /// What the user typed (`--concurrency`).
    pub name: &'static str,
    /// The key that it sets (`worker.concurrency`).
    pub key: &'static str,
    /// The value.
    pub value: String,
}

impl Sources {
    /// Takes the environment of this process. Without a `file`, `STEPWELL_CONFIG` may name it.
    pub fn of_process(file: Option<PathBuf>) -> Self {
        let environment: Vec<(String, String)> = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let named = environment.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, value)| value.into());
        Self { defaults: Vec::new(), file: file.or(named), environment, flags: Vec::new() }
    }

    /// Sets a default of the program, which anything else beats.
    #[must_use]
    pub fn default_value(mut self, key: &'static str, value: impl ToString) -> Self {
        self.defaults.push(Flag { name: "default", key, value: value.to_string() });
        self
    }

    /// Adds a flag, if the user gave it.
    #[must_use]
    pub fn flag(mut self, name: &'static str, key: &'static str, value: Option<impl ToString>) -> Self {
        self.flags.extend(value.map(|value| Flag { name, key, value: value.to_string() }));
        self
    }

    /// Lists what the environment sets: variable, key with dots, value.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, String, &str)> {
        let named = self.environment.iter().filter(|(name, _)| name != FILE_VARIABLE);
        named.filter_map(|(name, value)| {
            let key = name.strip_prefix(PREFIX)?.to_lowercase().replace("__", ".");
            Some((name.as_str(), key, value.as_str()))
        })
    }
}
