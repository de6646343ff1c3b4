//! Names and ports that nobody else uses.

use std::collections::HashSet;
use std::net::TcpListener;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Below the range from which Linux takes the ports of outgoing connections: a server that is down for a
/// moment finds its port still free when it comes back.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

static COUNTER: AtomicU32 = AtomicU32::new(0);
static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// Gives a TCP port on loopback that is free now and that this process was not given before.
///
/// # Panics
/// If no port between 10,000 and 32,000 is free.
pub fn free_port() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let span = u32::from(PORTS.end - PORTS.start);
    let start = random_u32();
    let port = (0..span)
        .map(|step| PORTS.start + u16::try_from((start.wrapping_add(step)) % span).unwrap_or_default())
        .find(|port| !given.contains(port) && is_free(*port))
        .expect("one of 22,000 ports is free");
    given.insert(port);
    port
}

/// Gives `prefix` with a suffix that no other call, in this process or another, gives: for names of queues,
/// virtual hosts, state machines and keys on a shared server.
pub fn unique_name(prefix: &str) -> String {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{prefix}-{}-{:08x}-{number}", process::id(), random_u32())
}

/// Tells whether nobody listens on the port.
pub(crate) fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn random_u32() -> u32 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.subsec_nanos());
    nanos.wrapping_mul(2_654_435_761).wrapping_add(process::id().wrapping_mul(40_503))
}
