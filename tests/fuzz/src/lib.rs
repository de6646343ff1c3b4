//! What the fuzzers run: each target takes any bytes and panics if a promise is broken.
//!
//! The programs of cargo-fuzz in `targets/` are a workspace of their own, so that ordinary builds need neither libFuzzer nor
//! sanitizers; the test `corpus` runs the same functions over the committed corpus.

mod definition;
mod draw;
mod intrinsic;
mod jsonata;
mod jsonpath;
mod sketch;
mod step;

/// Is a target: what it is called, and what it does with some bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 5] = [
    ("definition", definition::run),
    ("intrinsic", intrinsic::run),
    ("jsonata", jsonata::run),
    ("jsonpath", jsonpath::run),
    ("step", step::run),
];

/// Runs a target.
///
/// # Panics
/// If there is no such target, or a promise is broken.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(target, _)| *target == name).expect("there is such a target");
    target(bytes);
}

/// Splits bytes into a line and the rest, each as text.
fn line_and_rest(bytes: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(text.split_once('\n').unwrap_or((text, "")))
}
