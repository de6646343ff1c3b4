//! The kinds of handlers, as the file declares them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use toml::Spanned;

use super::super::Handler;
use super::super::child::CommandLine;
use super::super::command::Command;
use super::super::http::{self as kind_http, Http};
use super::super::invoke::{Lambda, Target};
use super::super::limit::Bounds;
use super::super::process::{Child, Process};
use super::{Kinds, Wrong};

/// The path at which a runtime interface emulator serves its one function.
const EMULATOR_PATH: &str = "/2015-03-31/functions/function/invocations";

/// Is what a handler is, with the value of the key that says so.
pub(super) enum Kind {
    Process(Spanned<Vec<String>>),
    Command(Spanned<Vec<String>>),
    Http(Spanned<String>),
    Lambda(Spanned<String>),
}

impl Kind {
    pub(super) fn of(
        process: Option<Spanned<Vec<String>>>,
        command: Option<Spanned<Vec<String>>>,
        http: Option<Spanned<String>>,
        lambda: Option<Spanned<String>>,
    ) -> Result<Self, String> {
        let kinds =
            [process.map(Kind::Process), command.map(Kind::Command), http.map(Kind::Http), lambda.map(Kind::Lambda)];
        let mut kinds = kinds.into_iter().flatten();
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Ok(kind),
            (Some(_), Some(_)) => {
                Err("a handler has one of `process`, `command`, `http` and `lambda`, not more".to_owned())
            }
            (None, _) => {
                Err("a handler needs `process` (a long-lived child, a JSON line a task), `command` (a process a \
                              task), `http` (a URL that tasks are posted to) or `lambda` (a Lambda function)"
                    .to_owned())
            }
        }
    }
}

/// Is what handlers of one file have in common, and what this one says besides its kind.
pub(super) struct Making<'a> {
    pub(super) folder: &'a Path,
    pub(super) kinds: &'a Kinds<'a>,
    pub(super) timeout: Option<Duration>,
}

type Variables = Option<Spanned<BTreeMap<String, String>>>;
type Headers = Option<Spanned<BTreeMap<String, Spanned<String>>>>;

/// Makes a handler. Processes with the same command line and variables share one child.
pub(super) fn handler(
    kind: Kind,
    env: Variables,
    headers: Headers,
    making: &Making<'_>,
    children: &mut BTreeMap<CommandLine, Arc<Child>>,
) -> Result<Box<dyn Handler>, Wrong> {
    let is_process = matches!(kind, Kind::Process(_) | Kind::Command(_));
    if let Some(env) = env.as_ref().filter(|_| !is_process) {
        let reason = "`env` is for `process` and `command`; a request takes `headers` (of `http`)";
        return Err((env.span().start, reason.to_owned()));
    }
    if let Some(headers) = headers.as_ref().filter(|_| !matches!(kind, Kind::Http(_))) {
        return Err((headers.span().start, "`headers` are for `http` only".to_owned()));
    }
    let env = env.map(Spanned::into_inner).unwrap_or_default();
    let bounds = Bounds {
        runtime: making.kinds.runtime.clone(),
        timeout: making.timeout,
        output_bytes_max: making.kinds.output_bytes_max,
    };
    let outgoing = making.kinds.outgoing.clone();
    Ok(match kind {
        Kind::Process(argv) => {
            let line = command_line(argv, making.folder, env)?;
            let made = || Arc::new(Child::new(line.clone(), &bounds));
            let child = Arc::clone(children.entry(line.clone()).or_insert_with(made));
            Box::new(Process { child, bounds })
        }
        Kind::Command(argv) => {
            let line = command_line(argv, making.folder, env)?;
            Box::new(Command { line, bounds })
        }
        Kind::Http(url) => {
            let url = kind_http::url(url.get_ref()).map_err(|reason| (url.span().start, reason))?;
            let headers = header_map(headers)?;
            Box::new(Http { url, headers, bounds, outgoing })
        }
        Kind::Lambda(target) => {
            let target = self::target(&target, making.kinds)?;
            Box::new(Lambda { target, bounds, outgoing })
        }
    })
}

fn command_line(
    argv: Spanned<Vec<String>>,
    folder: &Path,
    env: BTreeMap<String, String>,
) -> Result<CommandLine, Wrong> {
    let at = argv.span().start;
    let argv = argv.into_inner();
    if argv.first().is_none_or(String::is_empty) {
        return Err((
            at,
            "the list is empty: write the program and its arguments, as in [\"python3\", \"x.py\"]".to_owned(),
        ));
    }
    Ok(CommandLine { argv, folder: folder.to_owned(), env })
}

fn header_map(headers: Headers) -> Result<HeaderMap, Wrong> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.map(Spanned::into_inner).unwrap_or_default() {
        let (at, text) = (value.span().start, value.into_inner());
        let read = kind_http::header(&name, &text, |variable| std::env::var(variable).ok());
        let (name, value) = read.map_err(|reason| (at, reason))?;
        map.insert(name, value);
    }
    Ok(map)
}

fn target(text: &Spanned<String>, kinds: &Kinds<'_>) -> Result<Target, Wrong> {
    let (at, value) = (text.span().start, text.get_ref().as_str());
    if value.contains("://") {
        let bare = value.trim_end_matches('/');
        let has_path = bare.splitn(4, '/').nth(3).is_some();
        let url = if has_path { value.to_owned() } else { format!("{bare}{EMULATOR_PATH}") };
        return kind_http::url(&url).map(Target::Emulator).map_err(|reason| (at, reason));
    }
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | ':' | '$');
    if value.is_empty() || !value.chars().all(fits) {
        let reason = format!(
            "{value:?} is no Lambda function: expected its name or ARN, an alias or version behind it allowed, or the URL of a \
             runtime interface emulator, such as \"http://127.0.0.1:9000\""
        );
        return Err((at, reason));
    }
    let Some(aws) = kinds.aws else {
        let reason = "there is nothing to call Lambda with: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or \
                      AWS_ENDPOINT_URL (and the setting worker.lambda to true), or write an emulator's URL";
        return Err((at, reason.to_owned()));
    };
    Ok(Target::Aws { aws: Arc::clone(aws), function: Some(value.to_owned()) })
}
