//! Layers the sources and fills the struct.

use std::fmt;

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ConfigError, File, FileFormat, Value, ValueKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use crate::Sources;

/// Is what [`load`] found.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The settings in force.
    pub config: T,
    /// Keys that the program doesn't know: mostly a slip of the pen. To be logged at start.
    pub unknown: Vec<Unknown>,
}

/// Is a setting that nobody reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// The key, with dots.
    pub key: String,
    /// Where it was set.
    pub origin: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "unknown setting `{}` in {}", self.key, self.origin)
    }
}

/// Says why there are no settings. The text names the setting and where it was set.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file can't be read or is not TOML.
    #[error("read the settings file {file}: {reason}")]
    File {
        /// Its path.
        file: String,
        /// Why.
        reason: String,
    },
    /// A name in the environment or a flag is no key.
    #[error("set `{key}` from {origin}: {reason}")]
    Key {
        /// The key, with dots.
        key: String,
        /// Where it was set.
        origin: String,
        /// Why.
        reason: String,
    },
    /// A value doesn't fit.
    #[error("use the settings: {reason}")]
    Value {
        /// Which setting, where it was set, and why it doesn't fit.
        reason: String,
    },
}

/// Loads settings from the sources over the defaults of `T`.
///
/// `T` is a struct of sections with `#[serde(default)]` on every struct; its serialised form tells which keys there are, so no
/// field may be skipped. Keys in `foreign` sections, which belong to other programs that read the same file or
/// environment, are not reported as unknown. In the environment a list is written with commas.
///
/// # Errors
/// `Error` that names the file, variable or flag at fault.
pub fn load<T: Serialize + DeserializeOwned + Default>(
    sources: &Sources,
    foreign: &[&str],
) -> Result<Loaded<T>, Error> {
    let known = serde_json::to_value(T::default()).map_err(|source| value_error(&source))?;
    let mut builder = Config::builder();
    let mut origins = Vec::new();
    for default in &sources.defaults {
        builder = builder.set_default(default.key, default.value.as_str()).map_err(|source| value_error(&source))?;
    }
    if let Some(file) = &sources.file {
        builder = builder.add_source(read(file)?);
    }
    for (variable, key, value) in sources.variables() {
        builder = set(builder, &known, &key, variable, value)?;
        origins.push((key, variable.to_owned()));
    }
    for flag in &sources.flags {
        builder = set(builder, &known, flag.key, flag.name, &flag.value)?;
    }
    let layered = builder.build().map_err(|source| value_error(&source))?;
    let given: Json = layered.clone().try_deserialize().map_err(|source| value_error(&source))?;
    let config: T = layered.try_deserialize().map_err(|source| value_error(&source))?;
    let in_force = serde_json::to_value(&config).map_err(|source| value_error(&source))?;
    let file = sources.file.as_ref().map(|file| file.display().to_string()).unwrap_or_default();
    let unknown = unknown_keys(&given, &in_force, foreign)
        .into_iter()
        .map(|key| Unknown { origin: origin_of(&key, &origins).unwrap_or_else(|| file.clone()), key })
        .collect();
    Ok(Loaded { config, unknown })
}

fn read(path: &std::path::Path) -> Result<File<config::FileSourceString, FileFormat>, Error> {
    let wrong = |reason: String| Error::File { file: path.display().to_string(), reason };
    let text = std::fs::read_to_string(path).map_err(|source| wrong(source.to_string()))?;
    text.parse::<toml::Table>().map_err(|source| wrong(source.to_string()))?;
    Ok(File::from_str(&text, FileFormat::Toml))
}

fn set(
    builder: ConfigBuilder<DefaultState>,
    known: &Json,
    key: &str,
    origin: &str,
    value: &str,
) -> Result<ConfigBuilder<DefaultState>, Error> {
    let from = origin.to_owned();
    let is_list = key.split('.').try_fold(known, |at, part| at.get(part)).is_some_and(Json::is_array);
    let kind = if is_list {
        let elements = value.split(',').map(str::trim).filter(|element| !element.is_empty());
        ValueKind::Array(elements.map(|element| Value::new(Some(&from), element)).collect())
    } else {
        ValueKind::String(value.to_owned())
    };
    builder.set_override(key, Value::new(Some(&from), kind)).map_err(|source| Error::Key {
        key: key.to_owned(),
        origin: from.clone(),
        reason: source.to_string(),
    })
}

fn value_error(source: &impl fmt::Display) -> Error {
    Error::Value { reason: source.to_string() }
}

fn origin_of(key: &str, origins: &[(String, String)]) -> Option<String> {
    let within = |outer: &str, inner: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with('.'));
    // A whole section that nobody knows was set by a key within it.
    let sets = |set: &str| key == set || within(set, key) || within(key, set);
    origins.iter().find(|(set, _)| sets(set)).map(|(_, origin)| origin.clone())
}

fn unknown_keys(given: &Json, in_force: &Json, foreign: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    let Json::Object(sections) = given else { return found };
    for (section, entries) in sections.iter().filter(|(section, _)| !foreign.contains(&section.as_str())) {
        compare(section, entries, in_force.get(section), &mut found);
    }
    found
}

fn compare(path: &str, given: &Json, in_force: Option<&Json>, found: &mut Vec<String>) {
    match (given, in_force) {
        (_, None) => found.push(path.to_owned()),
        (Json::Object(entries), Some(Json::Object(known))) => {
            for (key, value) in entries {
                compare(&format!("{path}.{key}"), value, known.get(key), found);
            }
        }
        (_, Some(_)) => {}
    }
}

impl From<ConfigError> for Error {
    fn from(source: ConfigError) -> Self {
        value_error(&source)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::{Amqp, Interval};

    #[derive(Debug, Default, Serialize, Deserialize)]
    #[serde(default)]
    struct Settings {
        amqp: Amqp,
        work: Work,
    }

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(default)]
    struct Work {
        concurrency: u16,
        hold_max: Interval,
        durable: bool,
        file: Option<std::path::PathBuf>,
        names: Vec<String>,
        routes: BTreeMap<String, String>,
    }

    impl Default for Work {
        fn default() -> Self {
            Self {
                concurrency: 64,
                hold_max: Interval::from_secs(300),
                durable: true,
                file: None,
                names: Vec::new(),
                routes: BTreeMap::new(),
            }
        }
    }

    struct Folder(std::path::PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn file(name: &str, text: &str) -> (Folder, std::path::PathBuf) {
        let folder = std::env::temp_dir().join(format!("settings-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the folder for temporary files is writable");
        let path = folder.join("stepwell.toml");
        std::fs::write(&path, text).expect("the folder for temporary files is writable");
        (Folder(folder), path)
    }

    fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let (_folder, path) = file("layers", "[work]\nconcurrency = 1\nhold_max = \"1m\"\ndurable = false\n");
        let variables = [("STEPWELL_WORK__CONCURRENCY", "2"), ("STEPWELL_WORK__HOLD_MAX", "2m"), ("HOME", "x")];
        let sources = Sources { file: Some(path), environment: environment(&variables), ..Sources::default() };
        let sources = sources.flag("--concurrency", "work.concurrency", Some(3));
        let sources = sources.default_value("work.durable", true).default_value("amqp.heartbeat_seconds", 9);
        let loaded: Loaded<Settings> = load(&sources, &[]).expect("loads");
        let work = loaded.config.work;
        assert_eq!((work.concurrency, work.hold_max, work.durable), (3, Interval::from_secs(120), false));
        assert_eq!(loaded.config.amqp.heartbeat_seconds, 9);
        assert_eq!(loaded.unknown, []);
    }

    #[test]
    fn the_environment_sets_lists_paths_and_flags() {
        let variables = [
            ("STEPWELL_WORK__NAMES", "a, b"),
            ("STEPWELL_WORK__FILE", "handlers.toml"),
            ("STEPWELL_WORK__DURABLE", "false"),
            ("STEPWELL_AMQP__URL", "amqp://u:p@h"),
            ("STEPWELL_CONFIG", ""),
        ];
        let sources = Sources { environment: environment(&variables), ..Sources::default() };
        let loaded: Loaded<Settings> = load(&sources, &[]).expect("loads");
        assert_eq!(loaded.config.work.names, ["a", "b"]);
        assert_eq!(loaded.config.work.file, Some("handlers.toml".into()));
        assert!(!loaded.config.work.durable);
        assert_eq!(loaded.config.amqp.url.expose(), "amqp://u:p@h");
        assert_eq!(loaded.unknown, []);
    }

    #[test]
    fn unknown_keys_are_reported_with_their_origin() {
        let text = "[work]\nconcurency = 1\nroutes = { \"arn:aws:lambda:*:*:function:Gpu-*\" = \"gpu\" }\n[other]\nx = 1\n[else]\ny = 1\n";
        let (_folder, path) = file("unknown", text);
        let origin = path.display().to_string();
        let environment = environment(&[("STEPWELL_WORK__MAX", "1"), ("STEPWELL_FOO__BAR", "1")]);
        let sources = Sources { file: Some(path), environment, ..Sources::default() };
        let loaded: Loaded<Settings> = load(&sources, &["other"]).expect("loads");
        let mut reported: Vec<String> = loaded.unknown.iter().map(ToString::to_string).collect();
        reported.sort();
        let expect = [
            format!("unknown setting `else` in {origin}"),
            "unknown setting `foo` in STEPWELL_FOO__BAR".to_owned(),
            format!("unknown setting `work.concurency` in {origin}"),
            "unknown setting `work.max` in STEPWELL_WORK__MAX".to_owned(),
        ];
        assert_eq!(reported, expect);
        assert_eq!(loaded.config.work.routes["arn:aws:lambda:*:*:function:Gpu-*"], "gpu");
    }

    #[test]
    fn an_error_names_the_setting_and_its_origin() {
        let check = |text: &str, variables: &[(&str, &str)], expect: &[&str]| {
            let (_folder, path) = file(&format!("error{}", text.len()), text);
            let sources = Sources { file: Some(path), environment: environment(variables), ..Sources::default() };
            let error = load::<Settings>(&sources, &[]).expect_err("is refused").to_string();
            assert!(expect.iter().all(|part| error.contains(part)), "{error}");
        };
        check(
            "",
            &[("STEPWELL_WORK__CONCURRENCY", "many")],
            &["work.concurrency", "STEPWELL_WORK__CONCURRENCY", "many"],
        );
        check("[work]\nhold_max = \"long\"", &[], &["hold_max", "long", "30s"]);
        check("[work\n", &[], &["stepwell.toml", "line 1"]);
    }
}
