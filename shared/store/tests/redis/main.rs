//! What concerns Redis only: servers that don't fit, that fill up, that go away and come back.

mod cleaning;
mod definitions;
mod fit;
#[path = "../behaviour/fixture.rs"]
#[expect(dead_code, reason = "the behaviour suite uses the rest")]
mod fixture;
mod outage;
mod replicas;
mod scripts;
