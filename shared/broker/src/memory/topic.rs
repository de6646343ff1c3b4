//! The topic exchange: queues bound by patterns of words, where `*` stands for one word and `#` for any number.

#[derive(Debug, Default)]
pub(super) struct Topics {
    queues: Vec<Bound>,
}

#[derive(Debug)]
struct Bound {
    pattern: String,
    messages: Vec<(String, Vec<u8>)>,
}

impl Topics {
    pub(super) fn bind(&mut self, pattern: &str) -> usize {
        self.queues.push(Bound { pattern: pattern.to_owned(), messages: Vec::new() });
        self.queues.len() - 1
    }

    pub(super) fn publish(&mut self, topic: &str, body: &[u8]) {
        let words: Vec<&str> = topic.split('.').collect();
        for queue in &mut self.queues {
            if fits(&queue.pattern.split('.').collect::<Vec<_>>(), &words) {
                queue.messages.push((topic.to_owned(), body.to_vec()));
            }
        }
    }

    pub(super) fn take(&mut self, queue: usize) -> Vec<(String, Vec<u8>)> {
        self.queues.get_mut(queue).map(|queue| std::mem::take(&mut queue.messages)).unwrap_or_default()
    }

    pub(super) fn lose_data(&mut self) {
        self.queues.iter_mut().for_each(|queue| queue.messages.clear());
    }
}

fn fits(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern.split_first(), words.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), None) => fits(rest, words),
        (Some((&"#", rest)), Some((_, later))) => fits(rest, words) || fits(pattern, later),
        (Some((wanted, rest)), Some((word, later))) => (*wanted == "*" || wanted == word) && fits(rest, later),
        (None, Some(_)) | (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_those_of_rabbitmq() {
        let check = |pattern: &str, topic: &str, expect: bool| {
            let split = |text: &'static str| text.split('.').collect::<Vec<_>>();
            let (pattern, topic) = (pattern.to_owned().leak(), topic.to_owned().leak());
            assert_eq!(fits(&split(pattern), &split(topic)), expect, "{pattern} {topic}");
        };
        check("FAILED.#", "FAILED.us-east-1.1.Orders", true);
        check("FAILED.#", "RUNNING.us-east-1.1.Orders", false);
        check("*.*.*.Orders", "FAILED.us-east-1.1.Orders", true);
        check("*.*.*.Orders", "FAILED.us-east-1.1.Orders.v2", false);
        check("*.*.*.Orders.v2", "FAILED.us-east-1.1.Orders.v2", true);
        check("#", "FAILED.us-east-1.1.Orders", true);
        check("#.Orders", "FAILED.us-east-1.1.Orders", true);
        check("*", "FAILED.us-east-1", false);
    }
}
