//! The file that declares handlers. The page is `docs/formats/handlers.md`.

mod kind;

use std::collections::BTreeMap;
use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use outgoing::Outgoing;
use runtime::Runtime;
use serde::Deserialize;
use tokio::sync::Semaphore;
use toml::Spanned;

use super::child::CommandLine;
use super::process::Child;
use super::{Declared, Entry, Pattern};
use crate::aws::Aws;
use kind::{Kind, Making};

/// Says why a file of handlers can't be used: the place, what is wrong, and what is allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read the handlers file {}{place}: {reason}", file.display())]
pub struct HandlersFileError {
    /// The file.
    pub file: PathBuf,
    /// Where in it, if it could be read at all.
    pub place: Place,
    /// What is wrong, and what is allowed.
    pub reason: String,
}

/// Is a place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The file as a whole.
    Whole,
    /// A place within it.
    At {
        /// Counts from 1.
        line: usize,
        /// Counts characters from 1.
        column: usize,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Whole => Ok(()),
            Place::At { line, column } => write!(formatter, ", line {line}, column {column}"),
        }
    }
}

impl Place {
    fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Place::At { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// Is what handlers of a file are made with.
pub(crate) struct Kinds<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) output_bytes_max: usize,
    pub(crate) outgoing: &'a Outgoing,
    pub(crate) aws: Option<&'a Arc<Aws>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    handler: Vec<Spanned<Table>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    function: Option<Spanned<String>>,
    resource: Option<Spanned<String>>,
    process: Option<Spanned<Vec<String>>>,
    command: Option<Spanned<Vec<String>>>,
    http: Option<Spanned<String>>,
    lambda: Option<Spanned<String>>,
    headers: Option<Spanned<BTreeMap<String, Spanned<String>>>>,
    timeout_seconds: Option<NonZeroU32>,
    concurrency: Option<NonZeroU16>,
    env: Option<Spanned<BTreeMap<String, String>>>,
}

/// Reads a file of handlers, in the order in which it declares them.
pub(crate) fn read(file: &Path, kinds: &Kinds<'_>) -> Result<Vec<(Declared, Entry)>, HandlersFileError> {
    let wrong = |place, reason| HandlersFileError { file: file.to_owned(), place, reason };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(Place::Whole, error.to_string()))?;
    let whole = std::path::absolute(file).map_err(|error| wrong(Place::Whole, error.to_string()))?;
    let folder = whole.parent().unwrap_or(&whole).to_owned();
    let document: Document = toml::from_str(&text).map_err(|error| {
        let place = error.span().map_or(Place::Whole, |span| Place::of(&text, span.start));
        wrong(place, error.message().trim_end().to_owned())
    })?;
    let mut children = BTreeMap::new();
    let mut seen = BTreeMap::new();
    let mut entries = Vec::new();
    for table in document.handler {
        let (declared, entry) = handler(table, &folder, kinds, &mut children)
            .map_err(|(offset, reason)| wrong(Place::of(&text, offset), reason))?;
        if let Some(first) = seen.insert(declared.0.to_string(), declared.1) {
            let reason = format!("{} is declared twice, first in line {}", declared.0, line(&text, first));
            return Err(wrong(Place::of(&text, declared.1), reason));
        }
        entries.push((declared.0, entry));
    }
    Ok(entries)
}

fn line(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

/// Is what is wrong at an offset of the text.
type Wrong = (usize, String);

/// Builds one handler, with the offset of its declaration.
fn handler(
    table: Spanned<Table>,
    folder: &Path,
    kinds: &Kinds<'_>,
    children: &mut BTreeMap<CommandLine, Arc<Child>>,
) -> Result<((Declared, usize), Entry), Wrong> {
    let offset = table.span().start;
    let table = table.into_inner();
    let declared = declared(table.function, table.resource, offset)?;
    let timeout = table.timeout_seconds.map(|seconds| Duration::from_secs(seconds.get().into()));
    let kind = Kind::of(table.process, table.command, table.http, table.lambda).map_err(|reason| (offset, reason))?;
    let making = Making { folder, kinds, timeout };
    let handler = kind::handler(kind, table.env, table.headers, &making, children)?;
    let slots = table.concurrency.map(|count| Arc::new(Semaphore::new(count.get().into())));
    Ok((declared, Entry { handler, slots }))
}

fn declared(
    function: Option<Spanned<String>>,
    resource: Option<Spanned<String>>,
    offset: usize,
) -> Result<(Declared, usize), Wrong> {
    match (function, resource) {
        (Some(function), None) => {
            let at = function.span().start;
            let name = function.into_inner();
            let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
            if name.is_empty() || !name.chars().all(fits) {
                let reason = format!(
                    "{name:?} is no function's name: letters, digits, `-` and `_` are allowed (for an ARN or a pattern \
                     write `resource`)"
                );
                return Err((at, reason));
            }
            Ok((Declared::Function(name), at))
        }
        (None, Some(resource)) => {
            let at = resource.span().start;
            if resource.get_ref().is_empty() {
                return Err((at, "`resource` is empty: write a resource, in which `*` stands for anything".to_owned()));
            }
            Ok((Declared::Resource(Pattern::new(resource.into_inner())), at))
        }
        (Some(_), Some(_)) => Err((offset, "a handler has either `function` or `resource`, not both".to_owned())),
        (None, None) => {
            let reason = "a handler needs `function` (a Lambda function's name) or `resource` (a pattern with `*`)";
            Err((offset, reason.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn read_text(name: &str, text: &str) -> Result<Vec<String>, String> {
        let folder = Folder(std::env::temp_dir().join(format!("handlers-{}-{name}", std::process::id())));
        std::fs::create_dir_all(&folder.0).expect("the folder for temporary files is writable");
        let file = folder.0.join("handlers.toml");
        std::fs::write(&file, text).expect("the folder for temporary files is writable");
        let runtime = Runtime::system();
        let outgoing = Outgoing::default();
        let kinds = Kinds { runtime: &runtime, output_bytes_max: 1, outgoing: &outgoing, aws: None };
        let entries = read(&file, &kinds).map_err(|error| error.to_string())?;
        Ok(entries.into_iter().map(|(declared, _)| declared.to_string()).collect())
    }

    #[test]
    fn handlers_are_declared_by_function_or_resource() {
        let text = r#"
            [[handler]]
            function = "ValidateOrder"
            process = ["python3", "handlers.py"]
            env = { MODE = "test" }
            [[handler]]
            resource = "arn:aws:states:::sqs:*"
            command = ["sh", "send.sh"]
            timeout_seconds = 30
            concurrency = 2
            [[handler]]
            function = "Charge"
            http = "https://pay.example.com/charge"
            headers = { Authorization = "Bearer x" }
            [[handler]]
            function = "Emulated"
            lambda = "http://127.0.0.1:9000"
        "#;
        let expect = [
            "function \"ValidateOrder\"",
            "resource \"arn:aws:states:::sqs:*\"",
            "function \"Charge\"",
            "function \"Emulated\"",
        ];
        let expect = expect.map(str::to_owned).to_vec();
        assert_eq!(read_text("right", text), Ok(expect));
        assert_eq!(read_text("empty", ""), Ok(Vec::new()));
    }

    #[test]
    fn an_error_tells_the_place_and_what_is_allowed() {
        let check = |name: &str, text: &str, expect: &[&str]| {
            let error = read_text(name, text).expect_err("is refused");
            assert!(expect.iter().all(|part| error.contains(part)), "{error}");
        };
        let head = "[[handler]]\nfunction = \"F\"\n";
        check("syntax", "[[handler]\n", &["line 1, column 11"]);
        check("unknown", &format!("{head}comand = [\"x\"]\n"), &["line 3, column 1", "comand", "command", "process"]);
        check("top", "[[handlers]]\n", &["line 1, column 3", "handlers", "`handler`"]);
        check("both", &format!("{head}command = [\"x\"]\nprocess = [\"x\"]\n"), &["line 1, column 1", "not more"]);
        check("neither", head, &["line 1, column 1", "`process`", "`command`"]);
        check("nameless", "\n[[handler]]\ncommand = [\"x\"]\n", &["line 2, column 1", "`function`", "`resource`"]);
        check("two names", &format!("{head}resource = \"*\"\ncommand = [\"x\"]\n"), &["line 1", "not both"]);
        check("no program", &format!("{head}command = []\n"), &["line 3, column 11", "python3"]);
        check("text", &format!("{head}command = \"x\"\n"), &["line 3, column 11", "expected a sequence"]);
        check(
            "arn",
            "[[handler]]\nfunction = \"arn:x\"\ncommand = [\"x\"]\n",
            &["line 2, column 12", "arn:x", "`resource`"],
        );
        check("zero", &format!("{head}command = [\"x\"]\nconcurrency = 0\n"), &["line 4, column 15", "nonzero"]);
        check("negative", &format!("{head}command = [\"x\"]\ntimeout_seconds = -1\n"), &["line 4, column 19"]);
        check("no url", &format!("{head}http = \"pay.example.com\"\n"), &["line 3, column 8", "http://"]);
        check("ftp", &format!("{head}http = \"ftp://x/\"\n"), &["line 3, column 8", "https"]);
        check("user", &format!("{head}http = \"http://a:b@x/\"\n"), &["line 3, column 8", "`headers`"]);
        check("list", &format!("{head}http = [\"http://x\"]\n"), &["line 3, column 8", "expected a string"]);
        let http = format!("{head}http = \"http://x\"\n");
        check("env", &format!("{http}env = {{ A = \"b\" }}\n"), &["line 4, column 7", "`env`", "`headers`"]);
        check("header", &format!("{http}headers = {{ \"a b\" = \"c\" }}\n"), &["line 4, column 21", "a b"]);
        check(
            "variable",
            &format!("{http}headers = {{ a = \"${{NO_SUCH_V}}\" }}\n"),
            &["line 4, column 17", "NO_SUCH_V"],
        );
        check("headers", &format!("{head}command = [\"x\"]\nheaders = {{}}\n"), &["line 4, column 11", "`http`"]);
        check("no aws", &format!("{head}lambda = \"Other\"\n"), &["line 3, column 10", "AWS_ACCESS_KEY_ID"]);
        check("no function", &format!("{head}lambda = \"a b\"\n"), &["line 3, column 10", "http://"]);
        let twice = format!("{head}command = [\"x\"]\n{head}command = [\"y\"]\n");
        check("twice", &twice, &["line 5, column 12", "function \"F\"", "declared twice", "line 2"]);
    }

    #[test]
    fn a_missing_file_is_named() {
        let (runtime, outgoing) = (Runtime::system(), Outgoing::default());
        let kinds = Kinds { runtime: &runtime, output_bytes_max: 1, outgoing: &outgoing, aws: None };
        let error = read(Path::new("no/such/handlers.toml"), &kinds);
        let error = error.err().expect("is refused").to_string();
        assert!(error.starts_with("read the handlers file no/such/handlers.toml: "), "{error}");
    }
}
