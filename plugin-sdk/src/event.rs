//! One event as a plugin sees it: the record and its labels.

use std::fmt;
use std::ops::Deref;
use std::ops::DerefMut;

use serde::Serialize;
use serde::Serializer;
use serde::ser::SerializeMap;

use crate::host::Host;
use crate::labels::Labels;

/// One retransmit.
///
/// Dereferences to [`retrans_event::Event`]: `event.peer()`, `event.kind()`, `event.set_mark(Some(1))`. An
/// unknown field is `None`. The next plugin sees the changes; size, CPU, sequences and times
/// belong to the host, which restores them.
///
/// Beside its fields an event has labels: text under a key, set by the host, earlier plugins and this one.
pub struct Event<'a> {
    record: &'a mut retrans_event::Event,
    number: u32,
    changed: bool,
    labels: &'a mut Labels,
    host: &'a dyn Host,
}

impl<'a> Event<'a> {
    #[inline]
    pub(crate) fn new(
        record: &'a mut retrans_event::Event,
        number: u32,
        labels: &'a mut Labels,
        host: &'a dyn Host,
    ) -> Event<'a> {
        Event {
            record,
            number,
            changed: false,
            labels,
            host,
        }
    }

    /// May the record differ from the one that the host passed?
    #[inline]
    pub(crate) fn is_changed(&self) -> bool {
        self.changed
    }

    /// The label with this key, set by this plugin, an earlier one or the host.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(self.host, self.number, key)
    }

    /// All labels, in the order of their keys.
    pub fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.labels.of(self.host, self.number)
    }

    /// Sets a label. It replaces a label with the same key, also one of an earlier plugin.
    pub fn set_label(&mut self, key: &str, value: impl fmt::Display) {
        self.labels.set(self.number, key, value);
    }
}

impl Deref for Event<'_> {
    type Target = retrans_event::Event;

    #[inline]
    fn deref(&self) -> &retrans_event::Event {
        self.record
    }
}

/// Marks the event as changed: the runner returns the record to the host.
impl DerefMut for Event<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut retrans_event::Event {
        self.changed = true;
        self.record
    }
}

/// The JSON form of an event: `"type":"retransmit"`, every known field, and the labels if there are any.
impl Serialize for Event<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "retransmit")?;
        self.serialize_fields(&mut map)?;
        if self.labels().next().is_some() {
            map.serialize_entry("labels", &LabelMap(self))?;
        }
        map.end()
    }
}

impl Event<'_> {
    /// Writes a comma, and the labels as a further key of an object of JSON; nothing if there are none.
    pub(crate) fn write_labels(&self, to: &mut Vec<u8>) -> serde_json::Result<()> {
        if self.labels().next().is_none() {
            return Ok(());
        }
        to.extend_from_slice(br#","labels":"#);
        serde_json::to_writer(to, &LabelMap(self))
    }
}

/// The labels as an object.
struct LabelMap<'e, 'a>(&'e Event<'a>);

impl Serialize for LabelMap<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.labels())
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
