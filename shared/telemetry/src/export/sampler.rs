//! Which traces are recorded.

use crate::TraceId;

/// Decides about traces, as `OTEL_TRACES_SAMPLER` says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sampler {
    /// Whether a caller's decision is followed.
    pub(crate) parent_based: bool,
    /// The share of the others that is recorded, from 0 to 1.
    pub(crate) ratio: f64,
}

impl Sampler {
    /// Is what holds where nothing is set: callers decide, and traces without a caller are recorded.
    pub(crate) const DEFAULT: Self = Self { parent_based: true, ratio: 1.0 };

    /// Reads the name of a sampler and its argument; nothing where there is no such.
    pub(crate) fn from_name(name: &str, argument: Option<&str>) -> Option<Self> {
        let (parent_based, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name),
        };
        let ratio = match root {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => match argument {
                Some(text) => text.trim().parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio))?,
                None => 1.0,
            },
            _ => return None,
        };
        Some(Self { parent_based, ratio })
    }

    pub(crate) fn samples(&self, trace: TraceId, caller: Option<bool>) -> bool {
        match caller {
            Some(decision) if self.parent_based => decision,
            Some(_) | None => self.takes(trace),
        }
    }

    /// Judges by the last seven bytes of the id, which are random, so that every process decides alike.
    fn takes(&self, trace: TraceId) -> bool {
        if self.ratio >= 1.0 {
            return true;
        }
        let [.., a, b, c, d, e, f, g] = trace.to_bytes();
        let random = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
        (random as f64) < self.ratio * (1_u64 << 56) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samplers_are_known_by_their_names() {
        let check = |name, argument, expect: Option<(bool, f64)>| {
            let found = Sampler::from_name(name, argument).map(|sampler| (sampler.parent_based, sampler.ratio));
            assert_eq!(found, expect, "{name} {argument:?}");
        };
        check("always_on", None, Some((false, 1.0)));
        check("always_off", None, Some((false, 0.0)));
        check("traceidratio", Some("0.25"), Some((false, 0.25)));
        check("parentbased_traceidratio", Some(" 0.5 "), Some((true, 0.5)));
        check("parentbased_always_off", Some("ignored"), Some((true, 0.0)));
        check("traceidratio", Some("2"), None);
        check("traceidratio", Some("x"), None);
        check("xray", None, None);
    }

    #[test]
    fn a_share_of_the_traces_is_taken() {
        let ids = || (0..10_000_u128).map(|n| TraceId::from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)));
        let taken = |ratio, caller| {
            let sampler = Sampler { parent_based: true, ratio };
            ids().filter(|id| sampler.samples(*id, caller)).count()
        };
        let quarter = taken(0.25, None);
        assert!((2_300..2_700).contains(&quarter), "{quarter}");
        assert_eq!((taken(0.0, None), taken(1.0, None)), (0, 10_000));
        assert_eq!((taken(0.25, Some(true)), taken(0.25, Some(false))), (10_000, 0));
        let stubborn = Sampler { parent_based: false, ratio: 1.0 };
        assert!(ids().all(|id| stubborn.samples(id, Some(false))));
    }
}
