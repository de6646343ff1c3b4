//! Which pool of workers runs which resource.

use std::sync::Arc;

/// Is the pool of everything that no pattern names.
pub const DEFAULT_POOL: &str = "default";

/// Is the routing table: the first pattern that fits a resource names its pool.
#[derive(Clone, Debug)]
pub struct Routing {
    routes: Vec<Route>,
    default: Pool,
}

/// Is a pool's name with its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The name.
    pub name: Arc<str>,
    /// How many work items one message may carry: 1 unless the pool opts in (`pool.batch_max`), so that no worker sits on
    /// another's work.
    pub batch_max: usize,
}

#[derive(Clone, Debug)]
struct Route {
    pattern: Arc<str>,
    pool: Pool,
}

impl Default for Routing {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl Routing {
    /// Makes a table of patterns with their pools, in the order in which they are tried, and of pools with their
    /// `batch_max` where it isn't 1. In a pattern `*` stands for any run of characters.
    pub fn new(routes: Vec<(String, String)>, batches: Vec<(String, usize)>) -> Self {
        let batches: Vec<(Arc<str>, usize)> =
            batches.into_iter().map(|(pool, batch_max)| (pool.into(), batch_max)).collect();
        let pool = |name: &str| {
            let batch_max = batches.iter().find(|(pool, _)| **pool == *name).map_or(1, |(_, batch_max)| *batch_max);
            Pool { name: name.into(), batch_max: batch_max.max(1) }
        };
        let routes =
            routes.into_iter().map(|(pattern, name)| Route { pattern: pattern.into(), pool: pool(&name) }).collect();
        Self { routes, default: pool(DEFAULT_POOL) }
    }

    /// Gives the pool of a resource.
    pub fn pool(&self, resource: &str) -> &Pool {
        let route = self.routes.iter().find(|route| matches(&route.pattern, resource));
        route.map_or(&self.default, |route| &route.pool)
    }

    /// Tells whether a pattern that fits a resource begins with `service`, and so is about that and not about others as well.
    pub fn names(&self, service: &str, resource: &str) -> bool {
        self.routes.iter().any(|route| route.pattern.starts_with(service) && matches(&route.pattern, resource))
    }

    /// Lists the pools, each once, in a fixed order.
    pub fn pools(&self) -> Vec<Pool> {
        let mut pools = vec![self.default.clone()];
        for route in &self.routes {
            if !pools.contains(&route.pool) {
                pools.push(route.pool.clone());
            }
        }
        pools
    }
}

/// Tells whether the text fits the pattern. Goes back to the last `*` only, which is enough: an earlier one could not match more.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut position) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while position < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, position));
            at += 1;
        } else if pattern.get(at) == text.get(position) {
            at += 1;
            position += 1;
        } else if let Some((star_at, taken)) = star {
            star = Some((star_at, taken + 1));
            at = star_at + 1;
            position = taken + 1;
        } else {
            return false;
        }
    }
    pattern.iter().skip(at).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pattern_that_fits_names_the_pool() {
        let route = |pattern: &str, pool: &str| (pattern.to_owned(), pool.to_owned());
        let routing = Routing::new(
            vec![route("arn:aws:lambda:*:*:function:gpu-*", "gpu"), route("arn:aws:states:::lambda:*", "light")],
            vec![("light".to_owned(), 16)],
        );
        let check = |resource: &str, pool: &str, batch_max: usize| {
            let found = routing.pool(resource);
            assert_eq!((&*found.name, found.batch_max), (pool, batch_max), "{resource}");
        };
        check("arn:aws:lambda:us-east-1:1:function:gpu-train", "gpu", 1);
        check("arn:aws:lambda:us-east-1:1:function:train", DEFAULT_POOL, 1);
        check("arn:aws:states:::lambda:invoke", "light", 16);
        check("", DEFAULT_POOL, 1);
        let names: Vec<Arc<str>> = routing.pools().into_iter().map(|pool| pool.name).collect();
        assert_eq!(names, [DEFAULT_POOL.into(), "gpu".into(), Arc::from("light")]);
    }

    #[test]
    fn a_pattern_is_about_a_service_or_about_others_as_well() {
        let names = |pattern: &str| {
            let routing = Routing::new(vec![(pattern.to_owned(), "own".to_owned())], Vec::new());
            routing.names("arn:aws:states:::states:", "arn:aws:states:::states:startExecution")
        };
        assert!(names("arn:aws:states:::states:*") && names("arn:aws:states:::states:startExecution"));
        assert!(!names("*") && !names("arn:aws:states:::*") && !names("arn:aws:states:::states:startExecution.sync"));
    }

    #[test]
    fn stars_match_any_run() {
        for (pattern, text, expect) in [
            ("*", "", true),
            ("a*b", "ab", true),
            ("a*b", "axxb", true),
            ("a*b", "axxbc", false),
            ("a*b*c", "abbbc", true),
        ] {
            assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
        }
    }
}
