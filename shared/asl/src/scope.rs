//! What paths, templates and conditions may look at.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use model::JsonText;
use serde_json::Value;

/// The odd number nearest to 2^64 divided by the golden ratio.
const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Gives what an evaluation may look at. Pure: what looks like chance comes from a seed.
pub trait Scope {
    /// Gives what `$` stands for.
    fn input(&self) -> &Document;

    /// Gives the context object, `$$`.
    fn context(&self) -> &Document;

    /// Gives a variable, `$name`, without the `$`.
    fn variable(&self, name: &str) -> Option<&Document> {
        let _ = name;
        None
    }

    /// Gives the chance that `States.MathRandom` and `States.UUID` draw from: for a replay of the same state entry it
    /// must start with the same seed.
    fn chance(&self) -> &Chance;
}

/// Is a sequence of numbers that looks like chance and is fixed by its seed (SplitMix64).
#[derive(Debug)]
pub struct Chance(AtomicU64);

impl Chance {
    /// Begins a sequence.
    pub fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// Gives the next number of the sequence.
    pub fn draw(&self) -> u64 {
        let state = self.0.fetch_add(GOLDEN_GAMMA, Ordering::Relaxed).wrapping_add(GOLDEN_GAMMA);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Makes a UUID of version 4 out of the next two numbers.
    pub fn uuid(&self) -> String {
        let high = self.draw() & 0xffff_ffff_ffff_0fff | 0x4000;
        let low = self.draw() & 0x3fff_ffff_ffff_ffff | 0x8000_0000_0000_0000;
        let digits = format!("{high:016x}{low:016x}");
        [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
    }

    /// Finds the seed of the sequence that begins with `first`: the steps of `draw` backwards, by the inverses of its factors.
    pub fn state_before(first: u64) -> u64 {
        let unmixed = first ^ (first >> 31) ^ (first >> 62);
        let unmixed = unmixed.wrapping_mul(0x3196_42b2_d24d_8ec3);
        let unmixed = unmixed ^ (unmixed >> 27) ^ (unmixed >> 54);
        let unmixed = unmixed.wrapping_mul(0x96de_1b17_3f11_9089);
        (unmixed ^ (unmixed >> 30) ^ (unmixed >> 60)).wrapping_sub(GOLDEN_GAMMA)
    }
}

/// Is a JSON document as text, parsed when somebody looks inside, once.
#[derive(Debug)]
pub struct Document {
    text: JsonText,
    value: OnceLock<Result<Value, String>>,
}

impl Document {
    /// Takes a text.
    pub fn new(text: JsonText) -> Self {
        Self { text, value: OnceLock::new() }
    }

    /// Gives the text.
    pub fn text(&self) -> &JsonText {
        &self.text
    }

    /// Tells whether the value is at hand.
    pub fn is_parsed(&self) -> bool {
        self.value.get().is_some()
    }

    /// Gives the value.
    ///
    /// # Errors
    /// Why the text can't be parsed, as a fragment: it holds a number that no double holds.
    pub fn value(&self) -> Result<&Value, &str> {
        let parsed = self.value.get_or_init(|| jsonpath::parse(self.text.as_str()).map_err(|error| reason(&error)));
        parsed.as_ref().map_err(String::as_str)
    }
}

/// Takes the place in the text off an error.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

impl From<JsonText> for Document {
    fn from(text: JsonText) -> Self {
        Self::new(text)
    }
}
