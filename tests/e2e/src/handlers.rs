//! Handlers that a test declares: a Python process for the good ones, whatever breaks for the bad ones.

use std::path::PathBuf;
use std::{fmt::Write as _, fs};

use anyhow::Result;
use support::DataDir;

/// Serves the functions of the quick order and some more. Every task takes `TASK_MILLIS` in a thread of its own, so that work
/// is under way when something dies.
const PYTHON: &str = r#"
import json, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor

PAUSE = int(os.environ.get("TASK_MILLIS", "20")) / 1000
LOCK = threading.Lock()

class Failure(Exception):
    pass

def pay(payment):
    if payment.get("retryCount") == 0:
        raise Failure("Lambda.ServiceException")
    return {"paymentId": "pay-" + payment["orderId"]}

def gate(task):
    """Goes on when the file is there: the test decides when."""
    while not os.path.exists(task["gate"]):
        time.sleep(0.01)
    return task

FUNCTIONS = {
    "Validate": lambda order: {**order, "status": "VALID"},
    "Pay": pay,
    "Notify": lambda order: "told " + order["orderId"],
    "Bill": lambda order: "billed " + order["orderId"],
    "Ship": lambda order: "SW-" + order["orderId"],
    "Echo": lambda value: value,
    "Gate": gate,
}

def say(answer):
    line = json.dumps(answer)
    with LOCK:
        print(line, flush=True)

def run(task):
    try:
        time.sleep(PAUSE)
        say({"id": task["id"], "output": FUNCTIONS[task["function"]](task["input"])})
    except Failure as failure:
        say({"id": task["id"], "failure": {"errorType": str(failure), "errorMessage": "not now"}})

pool = ThreadPoolExecutor(64)
for line in sys.stdin:
    pool.submit(run, json.loads(line))
os._exit(0)
"#;

const GOOD: [&str; 7] = ["Validate", "Pay", "Notify", "Bill", "Ship", "Echo", "Gate"];

/// Is a folder with a handlers file that grows by declaration; removed when it is dropped.
#[derive(Debug)]
pub struct Handlers {
    folder: DataDir,
    text: String,
}

impl Handlers {
    /// Declares no function.
    ///
    /// # Errors
    /// If the folder can't be made.
    pub fn none() -> Result<Self> {
        let handlers = Self { folder: DataDir::new("handlers")?, text: String::new() };
        fs::write(handlers.folder.file("handlers.py"), PYTHON)?;
        handlers.save()
    }

    /// Declares the functions of the quick order, `Echo`, and `Gate`, which goes on when the file that its input names is
    /// there. Each task takes so many milliseconds.
    ///
    /// # Errors
    /// If the folder can't be made.
    pub fn good(task_millis: u32) -> Result<Self> {
        let mut handlers = Self::none()?;
        for function in GOOD {
            let rest = format!("process = [\"python3\", \"handlers.py\"]\nenv = {{ TASK_MILLIS = \"{task_millis}\" }}");
            handlers.declare(function, &rest);
        }
        handlers.save()
    }

    /// Declares a function by a `process` or a `command` of Python code.
    ///
    /// # Errors
    /// If the files can't be written.
    pub fn with(mut self, function: &str, kind: &str, code: &str) -> Result<Self> {
        fs::write(self.folder.file(&format!("{function}.py")), code)?;
        self.declare(function, &format!("{kind} = [\"python3\", \"{function}.py\"]"));
        self.save()
    }

    /// Gives the path of the file for the setting `worker.handlers`.
    pub fn file(&self) -> PathBuf {
        self.folder.file("handlers.toml")
    }

    /// Gives the path of another file in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.file(name)
    }

    fn declare(&mut self, function: &str, rest: &str) {
        let _ = write!(self.text, "[[handler]]\nfunction = \"{function}\"\n{rest}\n\n");
    }

    fn save(self) -> Result<Self> {
        fs::write(self.file(), &self.text)?;
        Ok(self)
    }
}
