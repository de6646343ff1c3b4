//! Runs each target over its committed corpus: what the fuzzers found once is looked at in every build.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

#[test]
fn definition() {
    replay("definition");
}

#[test]
fn intrinsic() {
    replay("intrinsic");
}

#[test]
fn jsonata() {
    replay("jsonata");
}

#[test]
fn jsonpath() {
    replay("jsonpath");
}

#[test]
fn step() {
    replay("step");
}

fn replay(target: &str) {
    let inputs = inputs(target);
    assert!(!inputs.is_empty(), "there is a corpus of {target}");
    let fails = |input: &PathBuf| {
        let bytes = fs::read(input).expect("reads");
        catch_unwind(AssertUnwindSafe(|| fuzz::run(target, &bytes))).is_err()
    };
    let failed: Vec<PathBuf> = inputs.into_iter().filter(fails).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Lists what to run: the files that `FUZZ_INPUTS` names, a file or a folder, or else the corpus.
fn inputs(target: &str) -> Vec<PathBuf> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let wanted = std::env::var_os("FUZZ_INPUTS").map_or(corpus, PathBuf::from);
    if wanted.is_file() {
        return vec![wanted];
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(wanted).expect("is a folder").map(|entry| entry.expect("is an entry").path()).collect();
    files.sort();
    files
}
