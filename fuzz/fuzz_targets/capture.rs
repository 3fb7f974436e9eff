//! Replays any bytes as a file: a capture, or lines of JSON.
//!
//! The allocator limits memory. An allocation beyond the limit ends the process.
#![no_main]

use std::alloc::System;

use cap::Cap;
use indicatif::ProgressBar;
use libfuzzer_sys::fuzz_target;
use retrans_fuzz::MemoryFile;
use retrans_fuzz::assert_clear;
use retrans_fuzz::assert_labels_fit;
use retrans_fuzz::forged;
use retrans_host::capture::CaptureError;
use retrans_host::capture::Head;
use retrans_host::capture::Reader;
use retrans_host::capture::Writer;
use retrans_host::source::replay::Input;
use retrans_host::source::replay::InputError;
use retrans_host::source::replay::LineError;
use retrans_host::source::replay::ReplayError;
use retrans_host::stream::batch::Batch;
use retrans_host::stream::batch::Item;
use retrans_host::stream::batch::MAX_EVENTS;
use retrans_host::stream::moment::Mark;

/// The limit on memory in bytes: a stored frame and a decompressed one, 16 MiB each, and as
/// much again for everything else.
const MAX_MEMORY: usize = 64 << 20;

/// The most items that are written and read again.
const MAX_WRITTEN: usize = 100;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, MAX_MEMORY);

fuzz_target!(|bytes: &[u8]| {
    let bytes = forged::file(bytes);
    let file = MemoryFile::new(&bytes);
    let mut items = Vec::new();
    match Input::open(&file.path(), &ProgressBar::hidden(), None) {
        Ok(mut input) => {
            if let Err(error) = read(&mut input, &mut items) {
                assert_names_the_place(error, &bytes);
                let _ = input.item(Batch::new);
            }
        }
        Err(error) => assert_names_the_place(error, &bytes),
    }
    assert_written(&items);
});

/// Reads all items, and keeps the first [`MAX_WRITTEN`].
fn read(input: &mut Input<'_>, items: &mut Vec<Item>) -> Result<(), InputError> {
    while let Some(item) = input.item(Batch::new)? {
        if let Item::Events(batch) = &item {
            assert!((1..=MAX_EVENTS).contains(&batch.len()));
            assert_labels_fit(batch);
        }
        if items.len() < MAX_WRITTEN {
            items.push(item);
        }
    }
    Ok(())
}

fn assert_names_the_place(error: InputError, bytes: &[u8]) {
    let place = match &error {
        InputError::Capture(
            CaptureError::Cut { offset } | CaptureError::Damaged { offset, .. },
        ) => {
            assert!(*offset <= bytes.len() as u64, "{offset}");
            format!("at byte {offset}")
        }
        InputError::Line(LineError::Line { line, .. }) => {
            let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
            assert!((1..=lines).contains(line), "{line} of {lines}");
            format!("name:{line}: ")
        }
        InputError::Capture(CaptureError::NotACapture(_)) => "not a capture: ".to_owned(),
        InputError::Capture(CaptureError::Version(_)) => "of the format".to_owned(),
        InputError::Capture(CaptureError::Layout(_)) => "its layout is invalid: ".to_owned(),
        InputError::Line(LineError::Empty) => "the file is empty".to_owned(),
        error => panic!("a file in memory can be read: {error}"),
    };
    let file = "name".to_owned();
    let error = ReplayError { file, error };
    assert_clear(&error);
    assert!(error.to_string().contains(&place), "{error}");
}

/// Asserts that the items are unchanged after they were written to a capture and read again.
fn assert_written(items: &[Item]) {
    // Batches with many labels are not written: a recording has only the host's labels, which are few.
    let few = |item: &&Item| match item {
        Item::Events(batch) => batch.labels.columns().len() <= 64,
        Item::Census(_) | Item::Mark(_) | Item::End(_) => true,
    };
    let mut file = Vec::new();
    let head = Head {
        has_census: true,
        ..Head::new(None, String::new())
    };
    let mut writer = Writer::new(&mut file, &head).expect("there is memory");
    for item in items.iter().filter(few) {
        writer.item(item).expect("there is memory");
    }
    writer.finish().expect("there is memory");

    let mut reader = Reader::new(file.as_slice()).expect("a valid capture");
    for item in items.iter().filter(few) {
        let read = reader.item(Batch::new).expect("a valid item");
        assert_same(item, &read.expect("as many items as were written"));
    }
    let more = reader.item(Batch::new).expect("the end");
    assert!(more.is_none());
}

fn assert_same(written: &Item, read: &Item) {
    let mark = |mark: &Mark| (mark.time, mark.wall_time, mark.lost);
    match (written, read) {
        (Item::Events(a), Item::Events(b)) => {
            assert!(a.records() == b.records());
            assert_eq!((&a.labels, a.lost), (&b.labels, b.lost));
        }
        (Item::Census(a), Item::Census(b)) => assert!(a == b),
        (Item::Mark(a), Item::Mark(b)) | (Item::End(a), Item::End(b)) => {
            assert_eq!(mark(a), mark(b));
        }
        (a, b) => panic!("{a:?} was written, {b:?} was read"),
    }
}
