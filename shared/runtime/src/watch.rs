//! A value that many watch: `tokio::sync::watch`, but who waits is woken in the order in which they began to wait.
//!
//! Tokio's own picks that order at random, so that two runs of one simulated seed would differ.

use std::ops::Deref;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::Notify;

/// Makes a value to watch, with its first receiver.
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let sender = Sender::new(value);
    let receiver = sender.subscribe();
    (sender, receiver)
}

/// Sets the value. Dropping it ends the waiting of all receivers.
#[derive(Debug)]
pub struct Sender<T> {
    shared: Arc<Shared<T>>,
}

/// Sees the value, and waits for it to change.
#[derive(Debug)]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

/// Is a look at the value, which cannot change meanwhile: let go of it before the next await.
#[derive(Debug)]
pub struct Ref<'a, T> {
    state: RwLockReadGuard<'a, State<T>>,
}

/// Says that nobody is left to change the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("watch a value that nobody can change any more")]
pub struct Closed;

#[derive(Debug)]
struct Shared<T> {
    state: RwLock<State<T>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<T> {
    value: T,
    version: u64,
    is_closed: bool,
}

impl<T> Shared<T> {
    fn read(&self) -> RwLockReadGuard<'_, State<T>> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State<T>> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until(
        &self,
        mut is_there: impl FnMut(&State<T>) -> bool,
    ) -> Result<RwLockReadGuard<'_, State<T>>, Closed> {
        loop {
            let mut changed = pin!(self.changed.notified());
            // Whoever looks and then begins to wait would miss what happens in between.
            changed.as_mut().enable();
            {
                let state = self.read();
                if is_there(&state) {
                    return Ok(state);
                }
                if state.is_closed {
                    return Err(Closed);
                }
            }
            changed.await;
        }
    }
}

impl<T> Sender<T> {
    /// Makes a value that nobody watches yet.
    pub fn new(value: T) -> Self {
        let state = RwLock::new(State { value, version: 0, is_closed: false });
        Self { shared: Arc::new(Shared { state, changed: Notify::new() }) }
    }

    /// Makes a receiver to which the value of now is no change.
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.shared.read().version;
        Receiver { shared: Arc::clone(&self.shared), seen }
    }

    /// Looks at the value.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref { state: self.shared.read() }
    }

    /// Sets the value, wakes everyone who waits, and gives the value that was.
    pub fn send_replace(&self, value: T) -> T {
        let mut state = self.shared.write();
        let was = std::mem::replace(&mut state.value, value);
        state.version += 1;
        drop(state);
        self.shared.changed.notify_waiters();
        was
    }

    /// Changes the value, and wakes everyone who waits if `modify` says that it did; tells whether it did.
    pub fn send_if_modified(&self, modify: impl FnOnce(&mut T) -> bool) -> bool {
        let mut state = self.shared.write();
        let is_modified = modify(&mut state.value);
        state.version += u64::from(is_modified);
        drop(state);
        if is_modified {
            self.shared.changed.notify_waiters();
        }
        is_modified
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.shared.write().is_closed = true;
        self.shared.changed.notify_waiters();
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), seen: self.seen }
    }
}

impl<T> Receiver<T> {
    /// Looks at the value; whether it counts as seen stays as it was.
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref { state: self.shared.read() }
    }

    /// Looks at the value and counts it as seen.
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let state = self.shared.read();
        self.seen = state.version;
        Ref { state }
    }

    /// Waits for a value that was not seen yet, and counts it as seen. Dropping the future loses nothing.
    ///
    /// # Errors
    /// `Closed` if there is none and the sender is gone.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        let seen = self.seen;
        self.seen = self.shared.until(|state| state.version != seen).await?.version;
        Ok(())
    }

    /// Waits until the value is as wanted, which it may be already, and counts it as seen. Dropping the future loses nothing.
    ///
    /// # Errors
    /// `Closed` if it is not and the sender is gone.
    pub async fn wait_for(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Result<Ref<'_, T>, Closed> {
        let state = self.shared.until(|state| wanted(&state.value)).await?;
        self.seen = state.version;
        Ok(Ref { state })
    }
}

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.state.value
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn who_waits_is_woken_in_the_order_of_waiting() {
        let sender = Sender::new(0);
        let woken = Mutex::new(Vec::new());
        let wait = |number: usize| {
            let (mut receiver, woken) = (sender.subscribe(), &woken);
            async move {
                receiver.wait_for(|value| *value == 1).await.expect("the sender lives");
                woken.lock().expect("is whole").push(number);
            }
        };
        let change = async { assert_eq!(sender.send_replace(1), 0) };
        tokio::join!(futures::future::join_all((0..100).map(wait)), change);
        assert_eq!(*woken.lock().expect("is whole"), (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_change_is_seen_once() {
        let (sender, mut receiver) = channel(1);
        assert_eq!(receiver.changed().now_or_never(), None);
        assert_eq!(sender.send_replace(2), 1);
        assert_eq!(receiver.changed().now_or_never(), Some(Ok(())));
        assert_eq!(receiver.changed().now_or_never(), None);
        assert!(!sender.send_if_modified(|_| false));
        assert_eq!(receiver.clone().changed().now_or_never(), None);
        assert!(sender.send_if_modified(|value| std::mem::replace(value, 3) == 2));
        assert_eq!((*receiver.borrow_and_update(), *sender.borrow()), (3, 3));
        assert_eq!(receiver.changed().now_or_never(), None);
    }

    #[test]
    fn without_a_sender_nothing_changes() {
        let (sender, mut receiver) = channel(false);
        sender.send_replace(true);
        drop(sender);
        assert_eq!(receiver.changed().now_or_never(), Some(Ok(())));
        assert_eq!(receiver.changed().now_or_never(), Some(Err(Closed)));
        assert!(receiver.wait_for(|value| *value).now_or_never().expect("is there").is_ok());
        assert!(receiver.wait_for(|value| !*value).now_or_never().expect("is known").is_err());
    }
}
