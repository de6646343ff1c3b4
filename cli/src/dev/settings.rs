//! The settings of `stepwell dev`: those of the coordinator and of the worker, without the servers that it has no need of.

use std::path::{Path, PathBuf};

use anyhow::Result;
use settings::{Sources, Unknown};
use worker::{WorkConfig, WorkerConfig};

use super::DevArguments;

/// What is logged where nothing else is set: a person at a terminal wants to see what goes wrong.
const LOG_FILTER: &str = "warn,stepwell.history=info";
/// The file of handlers that is taken where no other is named.
const HANDLERS: &str = "handlers.toml";

/// Is everything that can be set.
#[derive(Clone)]
pub(super) struct Settings {
    pub(super) coordinator: coordinator::settings::Settings,
    pub(super) worker: WorkerConfig,
    pub(super) work: WorkConfig,
    unknown: Vec<Unknown>,
}

impl Settings {
    /// Loads what the sources say.
    ///
    /// # Errors
    /// One that names the file, variable or flag at fault.
    pub(super) fn load(arguments: &DevArguments) -> Result<Self> {
        let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.to_string_lossy().into_owned());
        let sources = Sources::of_process(arguments.config.clone())
            .default_value("log.filter", LOG_FILTER)
            .flag("--listen", "api.listen", arguments.listen.as_deref())
            .flag("--ops-listen", "ops.listen", arguments.ops_listen.as_deref())
            .flag("--handlers", "worker.handlers", text(&arguments.handlers));
        let coordinator =
            ::settings::load::<coordinator::settings::Settings>(&sources, coordinator::settings::FOREIGN_SECTIONS)?;
        let worker = ::settings::load::<worker::Config>(&sources, worker::FOREIGN_SECTIONS)?;
        coordinator.config.check()?;
        worker.config.check()?;
        let mut unknown = coordinator.unknown;
        // Sections that both read are complained of once.
        unknown.extend(worker.unknown.into_iter().filter(|key| is_of_worker(&key.key)));
        let worker::Config { worker, work, .. } = worker.config;
        let mut worker =
            WorkerConfig { name: Some(worker.name.unwrap_or_else(|| "stepwell-dev".to_owned())), ..worker };
        worker.pool = WorkerConfig::default().pool;
        Ok(Self { coordinator: coordinator.config, worker, work, unknown })
    }

    /// Gives the file of handlers: the one that was set must be there, the usual one may.
    pub(super) fn handlers_file(&self) -> &Path {
        self.worker.handlers.as_deref().unwrap_or(Path::new(HANDLERS))
    }

    /// Logs what nobody reads.
    pub(super) fn warn_of_unknown(&self) {
        if !self.coordinator.pool.is_empty() {
            tracing::warn!("the settings [[pool]] are for clusters: here one worker takes the work of all pools");
        }
        for key in &self.unknown {
            tracing::warn!(key = key.key, origin = key.origin, "unknown setting");
        }
    }
}

fn is_of_worker(key: &str) -> bool {
    coordinator::settings::FOREIGN_SECTIONS.iter().any(|section| key.split('.').next() == Some(section))
}

#[cfg(test)]
mod tests {
    #[test]
    fn programs_know_of_each_others_sections() {
        let sections = |settings: serde_json::Value| -> Vec<String> {
            settings.as_object().expect("is an object").keys().cloned().collect()
        };
        let coordinator =
            sections(serde_json::to_value(coordinator::settings::Settings::default()).expect("can be rendered"));
        let worker = sections(serde_json::to_value(worker::Config::default()).expect("can be rendered"));
        for (name, mine, foreign, others) in [
            ("coordinator", &coordinator, coordinator::settings::FOREIGN_SECTIONS, &worker),
            ("worker", &worker, worker::FOREIGN_SECTIONS, &coordinator),
        ] {
            let known = |section: &String| mine.contains(section) || foreign.contains(&section.as_str());
            let unknown: Vec<&String> = others.iter().filter(|section| !known(section)).collect();
            assert!(unknown.is_empty(), "{name} does not know of {unknown:?}");
        }
    }
}
