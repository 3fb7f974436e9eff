//! The file format: the reader returns what was written, or reports the damage.

use std::time::Duration;

use retrans_event::RECORD_SIZE;
use retrans_event::Record;
use retrans_event::synth::Synth;
use retrans_host::capture::CaptureError;
use retrans_host::capture::Reader;
use retrans_host::capture::Writer;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::labels::Column;
use retrans_host::stream::moment::Mark;

use crate::common::captures::END;
use crate::common::captures::HEAD;
use crate::common::captures::ITEMS;
use crate::common::captures::Shown;
use crate::common::captures::capture;
use crate::common::captures::events;
use crate::common::captures::file;
use crate::common::captures::frame;
use crate::common::captures::head;
use crate::common::captures::items;
use crate::common::captures::raw_frame;
use crate::common::captures::show;

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// A number of losses: often 0, sometimes the largest.
    fn lost(&mut self) -> u64 {
        match self.below(4) {
            0 => self.below(100),
            1 => self.next(),
            _ => 0,
        }
    }

    fn mark(&mut self) -> Mark {
        Mark {
            time: Duration::from_nanos(self.next()),
            wall_time: Duration::from_nanos(self.next()),
            lost: self.lost(),
        }
    }

    fn batch(&mut self) -> Batch {
        let mut batch = Batch::new();
        batch.lost = self.lost();
        let most = [3, 256][self.below(2) as usize];
        let count = 1 + self.below(most);
        for _ in 0..count {
            let record: Vec<u8> = (0..RECORD_SIZE).map(|_| self.next() as u8).collect();
            batch.push(&record);
        }
        for key in ["zone", "container.id", "\u{e4}\0\n"] {
            if self.below(2) == 0 {
                continue;
            }
            let labelled = (0..count as u32).filter(|_| self.below(3) == 0);
            let labelled: Vec<u32> = labelled.collect();
            let values = labelled
                .iter()
                .map(|event| (*event, ["", "eu", "\u{1f40c}"][*event as usize % 3]));
            batch.labels.annotate(Column::new(key, values));
        }
        batch
    }

    fn item(&mut self) -> Item {
        match self.below(8) {
            0 | 1 => Item::Mark(self.mark()),
            2 => Item::End(self.mark()),
            _ => Item::Events(self.batch()),
        }
    }
}

/// A small capture: its items, frame by frame, and where each frame ends in the file.
fn small() -> (Vec<u8>, Vec<Vec<Shown>>, Vec<usize>) {
    let records: Vec<Record> = Synth::with_connections(4, 2).take(5).collect();
    let mark = |seconds| Mark {
        time: Duration::from_secs(seconds),
        wall_time: Duration::from_secs(1_767_225_600 + seconds),
        lost: 2,
    };
    let mut labelled = Batch::new();
    labelled.push(records[0].as_bytes());
    labelled.labels.annotate(Column::new("zone", [(0, "eu")]));
    let frames = [
        vec![events(&records[..2], 7), Item::Mark(mark(1))],
        vec![Item::Events(labelled)],
        vec![
            Item::Mark(mark(2)),
            events(&records[2..], 0),
            Item::End(mark(3)),
        ],
    ];
    let mut ends = Vec::new();
    let mut writer = Writer::new(Vec::new(), &head()).expect("memory takes it");
    ends.push(writer.written() as usize);
    for items in &frames {
        for item in items {
            writer.item(item).expect("memory takes it");
        }
        assert!(!writer.is_flushed());
        writer.flush().expect("memory takes it");
        assert!(writer.is_flushed());
        ends.push(writer.written() as usize);
    }
    let file = capture(&head(), &frames);
    assert_eq!(writer.finish().expect("memory takes it"), file.len() as u64);
    let shown = frames.iter().map(|items| items.iter().map(show).collect());
    (file, shown.collect(), ends)
}

#[test]
fn what_is_written_is_read() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let count = random.below(30);
        let mut frames = vec![Vec::new()];
        for _ in 0..count {
            let item = random.item();
            frames.last_mut().expect("there is one").push(item);
            if random.below(5) == 0 {
                frames.push(Vec::new());
            }
        }
        let expected: Vec<Shown> = frames.iter().flatten().map(show).collect();
        let file = capture(&head(), &frames);
        let (read, error) = items(&file).expect("it has a head");
        assert!(error.is_none(), "seed {seed}: {error:?}");
        assert!(read == expected, "seed {seed}: not what was written");
    }
}

#[test]
fn the_head_is_read_as_it_was_written() {
    let mut head = head();
    head.host = serde_json::from_str(
        r#"{"name":"db1","kernel":"6.12.0","booted":"2026-01-01T00:00:00.000Z","boot_id":"x",
            "attached":"tp_btf","later":[1]}"#,
    )
    .expect("a host, with a key of a later version");
    let file = capture(&head, &[]);
    let reader = Reader::new(file.as_slice()).expect("it has a head");
    assert_eq!(reader.head(), &head);
}

#[test]
fn of_a_file_that_was_cut_off_all_whole_frames_are_read() {
    let (file, frames, ends) = small();
    for length in 0..file.len() {
        let read = items(&file[..length]);
        if length < ends[0] {
            let error = read.err().map(|error| error.to_string());
            let expected = match length {
                0 => "not a capture: the file is empty",
                _ => "not a capture: the file was cut off before its first event",
            };
            assert_eq!(error.as_deref(), Some(expected), "{length} bytes");
            continue;
        }
        let (read, error) = read.expect("the head is whole");
        let whole = ends.iter().take_while(|end| **end <= length).count() - 1;
        assert_eq!(read, frames[..whole].concat(), "{length} bytes");
        let expected = ends[whole] as u64;
        assert!(
            matches!(error, Some(CaptureError::Cut { offset }) if offset == expected),
            "{length} bytes: {error:?}"
        );
    }
}

/// Checks that a file is reported as damaged, or is not damaged; the items before that are those that
/// were written.
#[track_caller]
fn assert_told(file: &[u8], expected: &[Shown], what: &str) {
    match items(file) {
        Err(_) => {}
        Ok((read, Some(CaptureError::Damaged { .. }))) => {
            assert!(expected.starts_with(&read), "{what}: {read:?}");
        }
        Ok((_, error)) => panic!("{what}: {error:?}"),
    }
}

#[test]
fn no_bit_can_change_unseen() {
    let (file, frames, _) = small();
    let expected = frames.concat();
    for bit in 0..8 * file.len() {
        let mut file = file.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        assert_told(&file, &expected, &format!("bit {bit}"));
    }
}

#[test]
fn no_bytes_can_change_unseen() {
    let (file, frames, _) = small();
    let expected = frames.concat();
    let mut random = Random(1);
    for round in 0..2_000 {
        let mut changed = file.clone();
        let place = random.below(file.len() as u64) as usize;
        let length = 1 + random.below(64) as usize;
        for byte in changed.iter_mut().skip(place).take(length) {
            *byte = random.next() as u8;
        }
        if changed != file {
            assert_told(&changed, &expected, &format!("round {round}"));
        }
    }
}

#[test]
fn bytes_that_are_missing_or_too_many_are_told() {
    let (file, frames, _) = small();
    let expected = frames.concat();
    for place in 0..file.len() {
        let (before, after) = file.split_at(place);
        let more = [before, &[0], after].concat();
        assert_told(&more, &expected, &format!("a byte more at {place}"));
    }
    for more in [&b"\0"[..], b"\n", &file] {
        let (read, error) = items(&[&file, more].concat()).expect("it has a head");
        assert_eq!(read, expected);
        let error = error.expect("there is more").to_string();
        let expected = format!(
            "it is damaged at byte {}: there is data after its end frame",
            file.len()
        );
        assert_eq!(error, expected);
    }
}

fn json_head() -> Vec<u8> {
    frame(HEAD, &serde_json::to_vec(&head()).expect("a head is JSON"))
}

#[track_caller]
fn damaged(frames: &[Vec<u8>], words: &str) {
    let error = match items(&file(frames)) {
        Err(error) => error,
        Ok((read, error)) => {
            assert_eq!(read, [], "{words}");
            error.unwrap_or_else(|| panic!("nothing is wrong: {words}"))
        }
    };
    let error = error.to_string();
    assert!(error.contains(words), "{words:?} is not in: {error}");
}

#[test]
fn a_head_is_the_first_frame_and_no_other() {
    let end = frame(END, b"");
    assert!(
        matches!(items(&file(&[json_head(), end.clone()])), Ok((read, None)) if read.is_empty())
    );
    damaged(std::slice::from_ref(&end), "byte 8: the head is missing");
    damaged(
        &[frame(ITEMS, b""), end.clone()],
        "byte 8: the head is missing",
    );
    damaged(&[frame(4, b"")], "byte 8: a frame of an unknown kind");
    let second = format!("byte {}: a second head", 8 + json_head().len());
    damaged(&[json_head(), json_head(), end], &second);
    for text in [
        "",
        "hello",
        "[]",
        "{}",
        r#"{"writer":5}"#,
        "{\"writer\":\"\u{1b}[31m",
    ] {
        damaged(&[frame(HEAD, text.as_bytes())], "byte 8: the head: ");
    }
}

#[test]
fn an_absurd_length_needs_no_memory() {
    let stored = zstd::bulk::compress(b"small", 1).expect("zstd compresses");
    for (length, words) in [
        (u32::MAX, "impossible size"),
        ((16 << 20) + 1, "impossible size"),
        (6, "cannot be decompressed"),
        (4, "cannot be decompressed"),
        (0, "cannot be decompressed"),
    ] {
        damaged(&[raw_frame(HEAD, &stored, length)], words);
    }
    damaged(&[raw_frame(HEAD, b"no zstd", 7)], "cannot be decompressed");
    // A few kilobytes that decompress to far more than the frame declares.
    let bomb = zstd::bulk::compress(&vec![0; 64 << 20], 1).expect("zstd compresses");
    damaged(&[raw_frame(HEAD, &bomb, 1_000)], "cannot be decompressed");
}

/// The bytes of an item of this kind, valid or not.
fn item(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    [&[kind], parts.concat().as_slice()].concat()
}

#[test]
fn items_that_are_none_are_told_with_the_place_of_their_frame() {
    let long = 9_u64.to_le_bytes();
    let number = |number: u32| number.to_le_bytes();
    let record = [0; RECORD_SIZE];
    let (one, none, most) = (number(1), number(0), number(u32::MAX));
    let label = |key: &[u8], events: &[u32], ends: &[u32], text: &[u8]| {
        let mut column = [&number(key.len() as u32), key, &number(events.len() as u32)].concat();
        let numbers = events.iter().chain(ends);
        column.extend(numbers.flat_map(|number| number.to_le_bytes()));
        column.extend([&number(text.len() as u32), text].concat());
        item(1, &[&long, &one, &one, &record, &column])
    };
    let place = format!("byte {}: ", 8 + json_head().len());
    for (bytes, words) in [
        (item(0, &[]), "an item of an unknown kind"),
        (item(4, &[]), "an item of an unknown kind"),
        (
            item(2, &[&long, &long, &long[..7]]),
            "an item that is cut off",
        ),
        (item(3, &[]), "an item that is cut off"),
        (
            item(1, &[&long, &none, &none]),
            "a batch of an impossible size",
        ),
        (
            item(1, &[&long, &number(257), &none]),
            "a batch of an impossible size",
        ),
        (
            item(1, &[&long, &most, &none]),
            "a batch of an impossible size",
        ),
        (
            item(1, &[&long, &one, &none, &record[1..]]),
            "an item that is cut off",
        ),
        (
            item(1, &[&long, &one, &most, &record]),
            "more columns of labels than a host writes",
        ),
        (
            item(1, &[&long, &one, &one, &record, &most]),
            "an item that is cut off",
        ),
        (
            item(1, &[&long, &one, &one, &record, &none, &most]),
            "more labels than events",
        ),
        (
            label(b"", &[0], &[1], b"a"),
            "labels that do not fit their events",
        ),
        (
            label(b"k", &[1], &[1], b"a"),
            "labels that do not fit their events",
        ),
        (
            label(b"k", &[0], &[2], b"a"),
            "labels that do not fit their events",
        ),
        (
            label(b"k", &[0], &[0], b"a"),
            "labels that do not fit their events",
        ),
        (
            label(b"k", &[0], &[1], b"\xc3\xa4"),
            "labels that do not fit their events",
        ),
        (label(b"\xff", &[0], &[1], b"a"), "a label that is not text"),
        (label(b"k", &[0], &[1], b"\xff"), "a label that is not text"),
    ] {
        damaged(
            &[json_head(), frame(ITEMS, &bytes), frame(END, b"")],
            &(place.clone() + words),
        );
    }
    // Without an error it is accepted.
    let sound = frame(ITEMS, &label(b"k", &[0], &[1], b"a"));
    let (read, error) = items(&file(&[json_head(), sound, frame(END, b"")])).expect("a head");
    assert!(matches!(&read[..], [Shown::Events(_, _, 9)]), "{read:?}");
    assert!(error.is_none(), "{error:?}");
}

#[test]
fn a_frame_may_have_no_items() {
    let mark = item(2, &[&[0; 24]]);
    let frames = [
        json_head(),
        frame(ITEMS, b""),
        frame(ITEMS, &mark),
        frame(END, b""),
    ];
    let (read, error) = items(&file(&frames)).expect("a head");
    assert_eq!(read, [Shown::Mark(0, 0, 0)]);
    assert!(error.is_none(), "{error:?}");
}
