//! The queues themselves. Every change happens under one lock and in a fixed order, so that a seed reproduces a run.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;

use super::topic::Topics;
use crate::queue::{Connection, DeadLetter, ReplyTo};

#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) kind: Option<Arc<str>>,
    pub(super) reply_to: Option<ReplyTo>,
    pub(super) body: Arc<[u8]>,
    pub(super) redeliveries: u32,
}

#[derive(Debug, Default)]
pub(super) struct State {
    queues: BTreeMap<Arc<str>, Queue>,
    consumers: BTreeMap<u64, Subscription>,
    last_id: u64,
    generation: u64,
    connected: bool,
    pub(super) blocked: bool,
    pub(super) marked: bool,
    pub(super) dead: Vec<DeadLetter>,
    /// The most bytes that a body may have, where that is not `BODY_BYTES_MAX`.
    pub(super) body_bytes_max: Option<usize>,
    pub(super) topics: Topics,
}

#[derive(Debug, Default)]
struct Queue {
    ready: VecDeque<Message>,
    /// Who is served next stands first.
    consumers: VecDeque<u64>,
    kind: QueueKind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum QueueKind {
    #[default]
    Durable,
    /// Gets every cancel, goes with its consumer, and needs no acknowledgements.
    Fanout,
}

#[derive(Debug)]
struct Subscription {
    process: u64,
    queue: Arc<str>,
    prefetch: usize,
    last_tag: u64,
    /// What is on its way: tags whose messages are in `unacked`.
    inbox: VecDeque<(u64, Message)>,
    unacked: BTreeMap<u64, Message>,
    wake: Arc<Notify>,
    ended: bool,
}

pub(super) enum Taken {
    Message { queue: Arc<str>, tag: u64, message: Message },
    Nothing,
    Ended,
}

impl State {
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    pub(super) fn declare(&mut self, name: &Arc<str>, kind: QueueKind) {
        self.queues.entry(Arc::clone(name)).or_insert_with(|| Queue { kind, ..Queue::default() });
    }

    /// Puts a message at the tail of a queue; `false` if there is no such queue.
    pub(super) fn publish(&mut self, queue: &str, message: Message) -> bool {
        let Some(name) = self.queues.get_key_value(queue).map(|(name, _)| Arc::clone(name)) else { return false };
        if let Some(target) = self.queues.get_mut(&name) {
            target.ready.push_back(message);
        }
        self.dispatch(&name);
        true
    }

    pub(super) fn publish_to_all(&mut self, message: &Message) {
        let fanout = |(name, queue): (&Arc<str>, &Queue)| (queue.kind == QueueKind::Fanout).then(|| Arc::clone(name));
        let names: Vec<Arc<str>> = self.queues.iter().filter_map(fanout).collect();
        for name in names {
            self.publish(&name, message.clone());
        }
    }

    pub(super) fn subscribe(&mut self, process: u64, queue: &Arc<str>, prefetch: u16) -> (u64, Arc<Notify>) {
        let id = self.next_id();
        let wake = Arc::new(Notify::new());
        let subscription = Subscription {
            process,
            queue: Arc::clone(queue),
            prefetch: usize::from(prefetch.max(1)),
            last_tag: 0,
            inbox: VecDeque::new(),
            unacked: BTreeMap::new(),
            wake: Arc::clone(&wake),
            ended: false,
        };
        self.consumers.insert(id, subscription);
        if let Some(queue) = self.queues.get_mut(queue) {
            queue.consumers.push_back(id);
        }
        self.dispatch(queue);
        (id, wake)
    }

    pub(super) fn unsubscribe(&mut self, consumer: u64) {
        let Some(queue) = self.consumers.get(&consumer).map(|subscription| Arc::clone(&subscription.queue)) else {
            return;
        };
        self.requeue(consumer);
        self.consumers.remove(&consumer);
        if let Some(entry) = self.queues.get_mut(&queue) {
            entry.consumers.retain(|id| *id != consumer);
            if entry.kind == QueueKind::Fanout {
                self.queues.remove(&queue);
            }
        }
        self.dispatch(&queue);
    }

    /// Ends all consumers of a process: they get nothing any more, and what they did not acknowledge goes back.
    pub(super) fn end_process(&mut self, process: u64) {
        let own = |(id, subscription): (&u64, &Subscription)| (subscription.process == process).then_some(*id);
        let ids: Vec<u64> = self.consumers.iter().filter_map(own).collect();
        for id in ids {
            self.requeue(id);
            let Some(subscription) = self.consumers.get_mut(&id) else { continue };
            subscription.ended = true;
            subscription.wake.notify_one();
            let queue = Arc::clone(&subscription.queue);
            if let Some(entry) = self.queues.get_mut(&queue) {
                entry.consumers.retain(|consumer| *consumer != id);
            }
            self.dispatch(&queue);
        }
    }

    /// Hands a consumer nothing more, and puts back what it has not taken yet; what it took is still its own.
    pub(super) fn stop(&mut self, consumer: u64) {
        let Some(subscription) = self.consumers.get_mut(&consumer) else { return };
        subscription.ended = true;
        let name = Arc::clone(&subscription.queue);
        let tags: Vec<u64> = subscription.inbox.iter().map(|(tag, _)| *tag).rev().collect();
        if let Some(queue) = self.queues.get_mut(&name) {
            queue.consumers.retain(|id| *id != consumer);
        }
        for tag in tags {
            self.put_back(consumer, tag);
        }
        self.dispatch(&name);
    }

    /// Puts a message back to the head of its queue.
    pub(super) fn give_back(&mut self, consumer: u64, tag: u64) {
        if let Some(queue) = self.put_back(consumer, tag) {
            self.dispatch(&queue);
        }
    }

    fn put_back(&mut self, consumer: u64, tag: u64) -> Option<Arc<str>> {
        let subscription = self.consumers.get_mut(&consumer)?;
        subscription.inbox.retain(|(waiting, _)| *waiting != tag);
        let mut message = subscription.unacked.remove(&tag)?;
        message.redeliveries += 1;
        self.queues.get_mut(&subscription.queue)?.ready.push_front(message);
        Some(Arc::clone(&subscription.queue))
    }

    pub(super) fn take(&mut self, consumer: u64) -> Taken {
        let Some(subscription) = self.consumers.get_mut(&consumer) else { return Taken::Ended };
        match subscription.inbox.pop_front() {
            Some((tag, message)) => Taken::Message { queue: Arc::clone(&subscription.queue), tag, message },
            None if subscription.ended => Taken::Ended,
            None => Taken::Nothing,
        }
    }

    /// Forgets a message, unless it went back to its queue in the meantime.
    pub(super) fn ack(&mut self, consumer: u64, tag: u64) {
        let Some(subscription) = self.consumers.get_mut(&consumer) else { return };
        if subscription.unacked.remove(&tag).is_some() {
            let queue = Arc::clone(&subscription.queue);
            self.dispatch(&queue);
        }
    }

    pub(super) fn is_unacked(&self, consumer: u64, tag: u64) -> bool {
        self.consumers.get(&consumer).is_some_and(|subscription| subscription.unacked.contains_key(&tag))
    }

    pub(super) fn depth(&self, queue: &str) -> u64 {
        self.queues.get(queue).map_or(0, |queue| u64::try_from(queue.ready.len()).unwrap_or(u64::MAX))
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    pub(super) fn connection(&self) -> Connection {
        match (self.connected, self.blocked) {
            (false, _) => Connection::Down,
            (true, true) => Connection::Blocked,
            (true, false) => Connection::Up { generation: self.generation },
        }
    }

    pub(super) fn connect(&mut self) {
        self.connected = true;
        self.generation += 1;
        let names: Vec<Arc<str>> = self.queues.keys().cloned().collect();
        for name in names {
            self.dispatch(&name);
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.connected = false;
        self.blocked = false;
        let ids: Vec<u64> = self.consumers.keys().copied().collect();
        for id in ids {
            self.requeue(id);
        }
    }

    /// Empties everything, as a broker does whose disk is gone. Consumers stay: they come back with the connection.
    pub(super) fn lose_data(&mut self) {
        for queue in self.queues.values_mut() {
            queue.ready.clear();
        }
        for subscription in self.consumers.values_mut() {
            subscription.inbox.clear();
            subscription.unacked.clear();
        }
        self.dead.clear();
        self.topics.lose_data();
        self.marked = false;
    }

    /// Puts what a consumer did not acknowledge back to the head of its queue, the oldest first.
    fn requeue(&mut self, consumer: u64) {
        let Some(subscription) = self.consumers.get_mut(&consumer) else { return };
        subscription.inbox.retain(|(tag, _)| !subscription.unacked.contains_key(tag));
        let unacked = std::mem::take(&mut subscription.unacked);
        let Some(queue) = self.queues.get_mut(&subscription.queue) else { return };
        for mut message in unacked.into_values().rev() {
            message.redeliveries += 1;
            queue.ready.push_front(message);
        }
    }

    /// Hands messages out in turn, as long as one waits and a consumer has room.
    fn dispatch(&mut self, name: &Arc<str>) {
        if !self.connected {
            return;
        }
        let Some(queue) = self.queues.get_mut(name) else { return };
        while !queue.ready.is_empty() {
            let has_room = |id: &u64| {
                self.consumers.get(id).is_some_and(|subscription| subscription.unacked.len() < subscription.prefetch)
            };
            let Some(position) = queue.consumers.iter().position(has_room) else { return };
            let Some(id) = queue.consumers.remove(position) else { return };
            queue.consumers.push_back(id);
            if let (Some(subscription), Some(message)) = (self.consumers.get_mut(&id), queue.ready.pop_front()) {
                subscription.push(message, queue.kind);
            }
        }
    }
}

impl Subscription {
    fn push(&mut self, message: Message, kind: QueueKind) {
        self.last_tag += 1;
        if kind == QueueKind::Durable {
            self.unacked.insert(self.last_tag, message.clone());
        }
        self.inbox.push_back((self.last_tag, message));
        self.wake.notify_one();
    }
}
