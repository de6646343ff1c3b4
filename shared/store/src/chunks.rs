//! Histories as they are read: chunks with their base, settled and cut into pages.

use model::{EventId, HistoryEvent, Timestamp};
use wire::record::HistoryChunk;

use crate::{Error, HistoryCursor, HistoryPage, HistoryQuery};

/// A page ends after so many bytes of chunks, even if it could hold more events.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// Is a chunk as kept.
#[derive(Clone, Debug)]
pub(crate) struct StoredChunk<'a> {
    pub(crate) base: EventId,
    pub(crate) clamp: Timestamp,
    pub(crate) bytes: &'a [u8],
}

impl StoredChunk<'_> {
    /// Settles ids and raises times, so that none is earlier than that of the event before.
    pub(crate) fn events(&self) -> Result<Vec<HistoryEvent>, Error> {
        let chunk = HistoryChunk::decode(self.bytes).map_err(|error| Error::Corrupt(error.chain()))?;
        let mut at = self.clamp;
        let settle = |(id, event): (u64, wire::record::EventRecord)| {
            at = at.max(event.at);
            let previous = event.previous.resolve(self.base);
            HistoryEvent { id: EventId(id), previous, at, kind: event.kind, details: event.details }
        };
        Ok((self.base.0 + 1..).zip(chunk.events).map(settle).collect())
    }
}

/// Puts a page together, chunk by chunk in the order of reading.
pub(crate) struct Pager {
    reverse: bool,
    limit: usize,
    from: Option<EventId>,
    chunks: u64,
    bytes: usize,
    page: HistoryPage,
}

impl Pager {
    /// Begins a page of a history of so many chunks.
    pub(crate) fn new(query: &HistoryQuery, chunks: u64) -> Self {
        Self {
            reverse: query.reverse,
            limit: query.limit.max(1),
            from: query.cursor.map(|cursor| cursor.event),
            chunks,
            bytes: 0,
            page: HistoryPage { events: Vec::new(), next: None },
        }
    }

    /// Tells where reading begins.
    pub(crate) fn first(query: &HistoryQuery, chunks: u64) -> Option<u64> {
        let wanted = match query.cursor {
            Some(cursor) => cursor.chunk,
            None if query.reverse => chunks.checked_sub(1)?,
            None => 0,
        };
        (wanted < chunks).then_some(wanted)
    }

    /// Takes the chunk at an index; tells whether the page wants the one that follows in the order of reading.
    pub(crate) fn take(&mut self, index: u64, chunk: &StoredChunk<'_>) -> Result<bool, Error> {
        let mut events = chunk.events()?;
        match (self.reverse, self.from) {
            (false, Some(from)) => events.retain(|event| event.id >= from),
            (true, Some(from)) => events.retain(|event| event.id <= from),
            (_, None) => {}
        }
        if self.reverse {
            events.reverse();
        }
        let room = self.limit - self.page.events.len();
        let cut = events.get(room).map(|event| HistoryCursor { event: event.id, chunk: index });
        let last = events.last().map(|event| event.id);
        self.page.events.extend(events.into_iter().take(room));
        self.bytes += chunk.bytes.len();
        self.page.next = cut.or_else(|| self.after(index, last));
        let is_full = self.page.events.len() >= self.limit || self.bytes >= PAGE_BYTES;
        Ok(!is_full && self.page.next.is_some())
    }

    /// Gives the index that follows in the order of reading.
    pub(crate) fn following(&self, index: u64) -> Option<u64> {
        if self.reverse { index.checked_sub(1) } else { Some(index + 1).filter(|next| *next < self.chunks) }
    }

    /// Gives the page.
    pub(crate) fn finish(self) -> HistoryPage {
        self.page
    }

    fn after(&self, index: u64, last: Option<EventId>) -> Option<HistoryCursor> {
        let chunk = self.following(index)?;
        let last = last.or(self.from)?.0;
        let event = if self.reverse { last.checked_sub(1)? } else { last + 1 };
        Some(HistoryCursor { event: EventId(event), chunk })
    }
}
