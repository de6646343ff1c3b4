//! Acting as a role: sessions are kept until shortly before they end, and asked for once by all who want the same.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Request;
use lru::LruCache;
use model::Timestamp;
use outgoing::{Body, NoReply, Outgoing};
use runtime::Runtime;
use tracing::warn;

use super::Aws;
use super::sign::Scope;
use super::sts::{self, NotAssumed, Role, Session};

/// How many sessions are kept: a worker serves some state machines, each with a few roles.
const SESSIONS_MAX: NonZeroUsize = NonZeroUsize::new(1_000).expect("is more than 0");
/// How long before its end a session is no longer used: the clocks of worker and AWS may differ, and a call takes its time.
const MARGIN_MILLIS: u64 = 60_000;
/// How often STS is asked within one attempt of a task, how long each time, and the first pause, which doubles.
const TRIES: u32 = 3;
const TRY_MAX: Duration = Duration::from_secs(5);
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// More than any answer of STS has.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Is how requests are sent.
#[derive(Clone, Copy)]
pub(crate) struct Client<'a> {
    pub(crate) runtime: &'a Runtime,
    pub(crate) outgoing: &'a Outgoing,
}

/// Keeps sessions by their roles.
pub(super) struct Sessions(Mutex<LruCache<Role, Arc<Slot>>>);

/// Is held by who asks, so that others wait for the answer.
type Slot = tokio::sync::Mutex<Option<Kept>>;

struct Kept {
    at: Timestamp,
    result: Result<Arc<Session>, NotAssumed>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(SESSIONS_MAX)))
    }
}

impl Sessions {
    fn slot(&self, role: &Role) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.get_or_insert_ref(role, Arc::default))
    }
}

impl Kept {
    /// Tells whether this answers who asked then: a session while it lasts, a failure if it is younger than the question.
    fn answers(&self, asked_at: Timestamp, now: Timestamp) -> bool {
        match &self.result {
            Ok(session) => session.expires_at.millis_since(now) > MARGIN_MILLIS,
            Err(_) => self.at > asked_at,
        }
    }
}

impl Aws {
    /// Gives a session of a role, one that is kept if there is one.
    ///
    /// # Errors
    /// `NotAssumed` after a few tries, if these were of use.
    pub(crate) async fn assume(&self, role: Role, client: Client<'_>) -> Result<Arc<Session>, NotAssumed> {
        let asked_at = client.runtime.now();
        let slot = self.sessions.slot(&role);
        let mut kept = slot.lock().await;
        if let Some(kept) = kept.as_ref().filter(|kept| kept.answers(asked_at, client.runtime.now())) {
            return kept.result.clone();
        }
        let result = self.ask(&role, client).await.map(Arc::new);
        if let Err(error) = &result {
            warn!(role_arn = role.role_arn, state_machine = %role.state_machine, ?error, "a role can't be acted as");
        }
        *kept = Some(Kept { at: client.runtime.now(), result: result.clone() });
        result
    }

    async fn ask(&self, role: &Role, client: Client<'_>) -> Result<Session, NotAssumed> {
        let request = self.assume_role(role, client.runtime.now()).map_err(NotAssumed::Unavailable)?;
        let mut pause = PAUSE_FIRST;
        for _ in 1..TRIES {
            match ask_once(&request, client).await {
                Err(NotAssumed::Unavailable(_)) => {}
                answer @ (Ok(_) | Err(NotAssumed::Refused(_))) => return answer,
            }
            client.runtime.sleep(client.runtime.jittered(pause)).await;
            pause = pause.saturating_mul(2);
        }
        ask_once(&request, client).await
    }

    fn assume_role(&self, role: &Role, at: Timestamp) -> Result<Request<Body>, String> {
        let Role { region, state_machine, .. } = role;
        let request = role.request(&self.endpoint("sts", region)).map_err(|error| error.to_string())?;
        let scope = Scope { service: "sts", region, account: state_machine.account(), at };
        self.request(&scope, request).map_err(|error| format!("sign the request: {error}"))
    }
}

async fn ask_once(request: &Request<Body>, client: Client<'_>) -> Result<Session, NotAssumed> {
    tokio::select! { biased;
        reply = client.outgoing.send(request.clone(), ANSWER_BYTES_MAX) => match reply {
            Ok(reply) => sts::read(&reply),
            Err(error @ (NoReply::Unreachable(_) | NoReply::TooLarge(_))) => {
                Err(NotAssumed::Unavailable(format!("Unable to execute HTTP request: {error}")))
            }
        },
        () = client.runtime.sleep(TRY_MAX) => {
            Err(NotAssumed::Unavailable(format!("Unable to execute HTTP request: no answer within {} s", TRY_MAX.as_secs())))
        }
    }
}
