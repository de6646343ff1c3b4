//! Definitions: what the validator accepts can be loaded, and each finding has its place in the text.

use asl::{Code, Definition, Options};

pub(crate) fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let findings = asl::validate(text, Options::default());
    let loaded = Definition::load(text);
    if !findings.has_errors() {
        match loaded {
            Ok(definition) => drop(definition.variable_references()),
            Err(faults) => {
                let is_gap = faults.iter().all(|fault| fault.code == Code::Unsupported);
                assert!(is_gap, "accepted, and then not loaded: {faults:?}");
            }
        }
    }
    for options in [
        Options { express: true, thorough: true, ..Options::default() },
        Options { substitutions: true, ..Options::default() },
    ] {
        asl::validate(text, options);
    }
    for finding in findings.iter() {
        asl::locate(text, finding.pointer.as_deref().unwrap_or("/"));
    }
    asl::validate_state(text, Options::default());
}
