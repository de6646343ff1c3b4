//! What was seen, for whoever reads the output of the tests.

/// Prints what a test measured; cargo shows it with `--nocapture`, or when the test fails.
#[expect(clippy::print_stdout, reason = "the output of a test is its report")]
pub fn note(text: &str) {
    println!("{text}");
}
