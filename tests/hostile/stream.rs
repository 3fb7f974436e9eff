//! The stream for hostile plugins: five minutes, ten events a second.

use std::time::Duration;

use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::capture::Writer;
use retrans_host::stream::batch::Item;
use retrans_host::stream::moment::Mark;

use crate::common::captures::events;
use crate::common::captures::head;

/// Seconds of the stream, and the number of calls with events.
pub const SECONDS: u64 = 300;

/// Events of each second, all in one call.
pub const EACH_SECOND: u64 = 10;

/// All events of the stream.
pub const EVENTS: u64 = SECONDS * EACH_SECOND;

/// Time since boot at the start of the stream.
const BEGIN: Duration = Duration::from_secs(1_000);

/// 2026-01-01T00:00:00Z.
const YEAR: Duration = Duration::from_secs(1_767_225_600);

/// The stream as a capture, in two parts.
pub struct Stream {
    /// From the start of the file to the last event.
    pub events: Vec<u8>,
    /// The end of the stream.
    pub end: Vec<u8>,
}

impl Stream {
    /// The same in every run. The events of a second lie in its first half; a tick comes before each
    /// second but the first.
    pub fn new() -> Stream {
        let mut file = Vec::new();
        let mut writer = Writer::new(&mut file, &head()).expect("memory takes it");
        let mut synth = Synth::new(7);
        for second in 0..SECONDS {
            let time = BEGIN + Duration::from_secs(second);
            if second > 0 {
                let tick = Item::Mark(mark(time));
                writer.item(&tick).expect("memory takes it");
            }
            let records = synth.by_ref().take(EACH_SECOND as usize);
            let records = records.enumerate().map(|(number, mut record)| {
                let time = time + Duration::from_millis(50) * number as u32;
                record.set_time(time);
                record.set_wall_time(YEAR + time);
                record
            });
            let records: Vec<Record> = records.collect();
            let events = events(&records, 0);
            writer.item(&events).expect("memory takes it");
        }
        writer.flush().expect("memory takes it");
        let events = writer.written() as usize;
        let end = Item::End(mark(BEGIN + Duration::from_secs(SECONDS)));
        writer.item(&end).expect("memory takes it");
        writer.finish().expect("memory takes it");
        let end = file.split_off(events);
        Stream { events: file, end }
    }
}

fn mark(time: Duration) -> Mark {
    Mark {
        time,
        wall_time: YEAR + time,
        lost: 0,
    }
}
