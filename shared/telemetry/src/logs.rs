//! Where log lines go and how they look.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::json::JsonLines;

/// Says why logging was not set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter can't be read.
    #[error(
        "read {0:?} as a log filter: write a level (error, warn, info, debug, trace) or `target=level` with commas"
    )]
    Filter(String),
    /// Logging is set up already.
    #[error("set up logging: it is set up already")]
    Repeated,
}

/// Sends the process's log lines to standard error, filtered by the variable `RUST_LOG` where it is set, else by `filter`.
/// They are JSON, one object a line, or text; where `json` leaves that open, text on a terminal.
///
/// To be called once, in `main`.
///
/// # Errors
/// `InitError` when the filter can't be read or a subscriber is installed already.
pub fn init(filter: &str, json: Option<bool>) -> Result<(), InitError> {
    let chosen = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty()).unwrap_or_else(|| filter.to_owned());
    let filter = EnvFilter::builder().parse(&chosen).map_err(|_| InitError::Filter(chosen))?;
    let terminal = std::io::stderr().is_terminal();
    let json = json.unwrap_or(!terminal);
    let registry = tracing_subscriber::registry().with(filter);
    let installed = if json {
        registry.with(JsonLines(std::io::stderr)).try_init()
    } else {
        let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
        registry.with(lines.with_ansi(terminal)).try_init()
    };
    installed.map_err(|_| InitError::Repeated)
}
