//! Who waits for which confirm.

use std::collections::VecDeque;

use lapin::types::ShortString;
use tokio::sync::oneshot;

use super::publisher::{Message, Request};
use crate::queue::Error;

/// Holds the ends of answers by the numbers of their publishes, which count up from 1: a window that slides.
#[derive(Default)]
pub(super) struct Answers {
    /// The number before the first in `waiting`.
    base: u64,
    waiting: VecDeque<Option<Waiting>>,
}

struct Waiting {
    answer: oneshot::Sender<Result<(), Error>>,
    routing_key: ShortString,
    returned: bool,
}

impl Answers {
    /// Gives a request its number, and keeps the end of its answer.
    pub(super) fn begin(&mut self, request: Request) -> (u64, Message) {
        let Request { exchange, routing_key, mandatory, properties, body, answer } = request;
        let waiting = Waiting { answer, routing_key: routing_key.clone(), returned: false };
        self.waiting.push_back(Some(waiting));
        let number = self.base + u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        (number, Message { exchange, routing_key, mandatory, properties, body })
    }

    /// Notes that a message came back.
    pub(super) fn returned(&mut self, number: u64) {
        if let Some(Some(waiting)) = self.slot(number) {
            waiting.returned = true;
        }
    }

    /// Answers, unless it was done before. A message that came back is unroutable whatever its confirm says.
    pub(super) fn end(&mut self, number: u64, outcome: Result<(), Error>) {
        let Some(waiting) = self.slot(number).and_then(Option::take) else { return };
        let outcome = if waiting.returned { Err(Error::Unroutable(waiting.routing_key.to_string())) } else { outcome };
        // A caller that went away does not need the answer.
        let _ = waiting.answer.send(outcome);
        while self.waiting.front().is_some_and(Option::is_none) {
            self.waiting.pop_front();
            self.base += 1;
        }
    }

    /// Answers everybody with an error.
    pub(super) fn refuse_all(&mut self, error: impl Fn() -> Error) {
        let count = u64::try_from(self.waiting.len()).unwrap_or(u64::MAX);
        for number in self.base + 1..=self.base + count {
            self.end(number, Err(error()));
        }
    }

    fn slot(&mut self, number: u64) -> Option<&mut Option<Waiting>> {
        let index = number.checked_sub(self.base + 1)?;
        self.waiting.get_mut(usize::try_from(index).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use lapin::BasicProperties;

    use super::*;

    fn begin(answers: &mut Answers) -> (u64, oneshot::Receiver<Result<(), Error>>) {
        let (answer, end) = oneshot::channel();
        let (exchange, routing_key) = ("".into(), "queue".into());
        let properties = BasicProperties::default();
        let request = Request { exchange, routing_key, mandatory: true, properties, body: Vec::new(), answer };
        (answers.begin(request).0, end)
    }

    #[test]
    fn each_confirm_answers_its_own_publish_in_any_order() {
        let mut answers = Answers::default();
        let (first, mut one) = begin(&mut answers);
        let (second, mut two) = begin(&mut answers);
        answers.end(second, Err(Error::Nacked));
        assert!(one.try_recv().is_err());
        assert!(matches!(two.try_recv(), Ok(Err(Error::Nacked))));
        answers.end(first, Ok(()));
        assert!(matches!(one.try_recv(), Ok(Ok(()))));
        assert!(answers.waiting.is_empty());
        assert_eq!(begin(&mut answers).0, 3);
    }

    #[test]
    fn a_returned_message_is_unroutable_though_it_is_confirmed() {
        let mut answers = Answers::default();
        let (number, mut end) = begin(&mut answers);
        answers.returned(number);
        answers.end(number, Ok(()));
        assert!(matches!(end.try_recv(), Ok(Err(Error::Unroutable(queue))) if queue == "queue"));
    }

    #[test]
    fn an_alarm_answers_everybody_and_later_confirms_nobody() {
        let mut answers = Answers::default();
        let (first, mut one) = begin(&mut answers);
        let (_, mut two) = begin(&mut answers);
        answers.refuse_all(|| Error::Nacked);
        assert!(matches!((one.try_recv(), two.try_recv()), (Ok(Err(_)), Ok(Err(_)))));
        answers.end(first, Ok(()));
        answers.returned(99);
        assert_eq!(begin(&mut answers).0, 3);
    }
}
