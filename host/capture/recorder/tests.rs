//! What becomes of a recording whose files are moved, deleted, replaced, or there already.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use retrans_event::Record as Event;

use super::*;
use crate::capture::CaptureError;
use crate::capture::Reader;
use crate::stream::batch::Batch;
use crate::stream::batch::Mark;

/// What is there already and is no capture.
const PRECIOUS: &str = "precious";

/// A directory with a file to record to.
struct Folder {
    directory: tempfile::TempDir,
    config: config::RecordFile,
}

/// Ends a recording, and tells what was recorded.
fn finished(mut recorder: Recorder) -> Summary {
    recorder.finish();
    recorder.summary()
}

impl Folder {
    fn new() -> Folder {
        let directory = tempfile::tempdir().expect("a directory");
        let config = config::RecordFile {
            file: directory.path().join("a.rtc"),
            rotate: config::Rotate::default(),
            keep: 3,
            force: false,
        };
        Folder { directory, config }
    }

    /// A new file after every item.
    fn rotating() -> Folder {
        let mut place = Folder::new();
        place.config.rotate.bytes = Some(1);
        place
    }

    /// A new file never, but as where there is one now and then.
    fn rotating_some_day() -> Folder {
        let mut place = Folder::new();
        place.config.rotate.bytes = Some(u64::MAX);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn begin(&self) -> Result<Recorder, RecordError> {
        Recorder::begin(
            &config::RecordConfig::File(self.config.clone()),
            Some(host()),
            no_stdout,
        )
    }

    fn begun(&self) -> Recorder {
        self.begin().expect("nothing is in the way")
    }

    /// What an earlier run with `count` events has left, cut off where it was killed.
    fn earlier_run(&self, name: &str, count: u64) {
        let place = Folder::new();
        let mut recording = place.begun();
        recording.item(&events(count));
        recording.item(&mark(1));
        fs::copy(place.path("a.rtc"), self.path(name)).expect("a copy");
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).expect("a directory");
        let mut names: Vec<String> = entries
            .map(|entry| {
                entry
                    .expect("an entry")
                    .file_name()
                    .to_string_lossy()
                    .into()
            })
            .collect();
        names.sort();
        names
    }

    /// Events in a capture, and those that it knows were lost.
    #[track_caller]
    fn held(&self, name: &str) -> (u64, u64) {
        held(&self.path(name))
    }
}

fn no_stdout() -> io::Result<Box<dyn Write + Send>> {
    Err(io::Error::other("this goes to a file"))
}

fn host() -> Host {
    Host {
        name: "here".to_owned(),
        kernel: "6.18".to_owned(),
        booted: now(),
        boot_id: "1".to_owned(),
        attached: "btf".to_owned(),
    }
}

fn events(count: u64) -> Item {
    let mut batch = Batch::new();
    for _ in 0..count {
        batch.push(Event::new().as_bytes());
    }
    Item::Events(batch)
}

fn mark(seconds: u64) -> Item {
    Item::Mark(at(seconds))
}

fn end(seconds: u64) -> Item {
    Item::End(at(seconds))
}

fn at(seconds: u64) -> Mark {
    Mark {
        time: Duration::from_secs(seconds),
        ..Mark::default()
    }
}

#[track_caller]
fn held(file: &Path) -> (u64, u64) {
    let file = fs::File::open(file).expect("a file");
    let mut reader = Reader::new(file).expect("a capture");
    let (mut events, mut lost) = (0, 0);
    loop {
        match reader.item(Batch::new) {
            Ok(Some(Item::Events(batch))) => {
                events += batch.len() as u64;
                lost += batch.lost;
            }
            Ok(Some(Item::Mark(mark) | Item::End(mark))) => lost += mark.lost,
            Ok(None) | Err(CaptureError::Cut { .. }) => return (events, lost),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_events_of_a_deleted_file_are_not_recorded_and_another_file_begins() {
    let place = Folder::new();
    let mut recording = place.begun();
    recording.item(&events(3));
    recording.item(&mark(1));
    fs::remove_file(place.path("a.rtc")).expect("it was there");
    recording.item(&events(2));
    recording.item(&mark(2));
    recording.item(&events(4));
    recording.item(&mark(3));
    recording.item(&end(4));
    let summary = finished(recording);
    assert_eq!((summary.events, summary.not_recorded), (4, 5));
    assert_eq!(summary.files, 2);
    assert_eq!(place.held("a.rtc"), (4, 5));
    let bytes = fs::metadata(place.path("a.rtc")).expect("a file").len();
    assert_eq!(summary.bytes, bytes);
}

#[test]
fn a_file_that_is_deleted_last_is_not_recorded_either() {
    for last in [mark(2), end(2)] {
        let place = Folder::new();
        let mut recording = place.begun();
        recording.item(&events(3));
        recording.item(&mark(1));
        fs::remove_file(place.path("a.rtc")).expect("it was there");
        let ends = matches!(last, Item::End(_));
        recording.item(&last);
        let summary = finished(recording);
        assert_eq!((summary.events, summary.not_recorded), (0, 3));
        // After the end there is nothing to begin another file for.
        assert_eq!(summary.files, if ends { 1 } else { 2 });
    }
}

#[test]
fn a_name_that_was_taken_meanwhile_is_not_taken_back() {
    let mut place = Folder::new();
    for force in [false, true] {
        place.config.force = force;
        let file = place.path("a.rtc");
        let mut recording = place.begun();
        recording.item(&events(3));
        recording.item(&mark(1));
        fs::write(place.path("other"), PRECIOUS).expect("a file");
        fs::rename(place.path("other"), &file).expect("a file");
        recording.item(&mark(2));
        recording.item(&events(2));
        recording.item(&mark(3));
        let summary = finished(recording);
        if force {
            assert_eq!((summary.events, summary.not_recorded), (2, 3));
            assert_eq!(place.held("a.rtc"), (2, 3));
        } else {
            assert_eq!((summary.events, summary.not_recorded), (0, 5));
            assert_eq!(fs::read_to_string(&file).expect("text"), PRECIOUS);
        }
    }
}

#[test]
fn a_recording_goes_on_as_soon_as_its_name_is_free() {
    let place = Folder::new();
    let file = place.path("a.rtc");
    let mut recording = place.begun();
    recording.item(&events(3));
    recording.item(&mark(1));
    fs::write(place.path("other"), PRECIOUS).expect("a file");
    fs::rename(place.path("other"), &file).expect("a file");
    recording.item(&mark(2));
    recording.item(&events(2));
    fs::remove_file(&file).expect("it was there");
    recording.item(&mark(3));
    recording.item(&events(4));
    recording.item(&end(4));
    let summary = finished(recording);
    assert_eq!((summary.events, summary.not_recorded), (4, 5));
    assert_eq!(place.held("a.rtc"), (4, 5));
}

#[test]
fn a_file_that_is_moved_goes_on_under_its_new_name() {
    let place = Folder::new();
    let mut recording = place.begun();
    recording.item(&events(3));
    fs::rename(place.path("a.rtc"), place.path("moved")).expect("it was there");
    recording.item(&mark(1));
    recording.item(&events(2));
    recording.item(&end(2));
    let summary = finished(recording);
    assert_eq!((summary.events, summary.not_recorded), (5, 0));
    assert_eq!(place.names(), ["moved"]);
    assert_eq!(place.held("moved"), (5, 0));
}

/// Whenever the name is free for a moment, a link is there.
#[test]
fn no_link_that_is_put_in_the_way_ends_or_redirects_a_rotating_recording() {
    let place = Folder::rotating();
    let (file, target) = (place.path("a.rtc"), place.path("target"));
    fs::write(&target, PRECIOUS).expect("a file");
    let mut recording = place.begun();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = symlink(&target, &file);
            }
        });
        for second in 0..300 {
            recording.item(&events(1));
            recording.item(&mark(second));
        }
        over.store(true, Ordering::Relaxed);
    });
    let summary = finished(recording);
    assert_eq!((summary.events, summary.not_recorded), (300, 0));
    assert_eq!(fs::read_to_string(&target).expect("text"), PRECIOUS);
}

#[test]
fn a_link_that_takes_the_place_of_a_file_is_replaced_at_the_next_rotation() {
    let place = Folder::rotating();
    let (file, target) = (place.path("a.rtc"), place.path("target"));
    fs::write(&target, PRECIOUS).expect("a file");
    let mut recording = place.begun();
    fs::rename(&file, place.path("moved")).expect("it was there");
    symlink(&target, &file).expect("a link");
    recording.item(&events(1));
    recording.item(&mark(1));
    let summary = finished(recording);
    assert_eq!((summary.events, summary.not_recorded), (1, 0));
    assert!(!file.is_symlink());
    assert!(
        place
            .names()
            .iter()
            .all(|name| !place.path(name).is_symlink())
    );
    assert_eq!(fs::read_to_string(&target).expect("text"), PRECIOUS);
}

#[test]
fn the_capture_of_an_earlier_run_is_moved_like_any_older_one() {
    for force in [false, true] {
        let mut place = Folder::rotating_some_day();
        place.config.force = force;
        place.earlier_run("a.rtc", 7);
        place.earlier_run("a.rtc.1", 8);
        let mut recording = place.begun();
        recording.item(&events(1));
        recording.item(&end(1));
        finished(recording);
        assert_eq!(place.names(), ["a.rtc", "a.rtc.1", "a.rtc.2"]);
        let held = ["a.rtc", "a.rtc.1", "a.rtc.2"].map(|name| place.held(name).0);
        assert_eq!(held, [1, 7, 8]);
    }
}

#[test]
fn no_more_captures_of_earlier_runs_are_kept_than_there_may_be_older_ones() {
    let mut place = Folder::rotating_some_day();
    place.config.keep = 1;
    place.earlier_run("a.rtc", 7);
    place.earlier_run("a.rtc.1", 8);
    finished(place.begun());
    assert_eq!(place.names(), ["a.rtc", "a.rtc.1"]);
    assert_eq!(place.held("a.rtc.1").0, 7);
    place.config.keep = 0;
    finished(place.begun());
    assert_eq!((place.held("a.rtc").0, place.held("a.rtc.1").0), (0, 7));
}

#[test]
fn older_files_of_an_earlier_run_alone_are_not_in_the_way() {
    let place = Folder::rotating();
    place.earlier_run("a.rtc.1", 7);
    let mut recording = place.begun();
    recording.item(&events(1));
    finished(recording);
    let held = ["a.rtc.1", "a.rtc.2"].map(|name| place.held(name).0);
    assert_eq!(held, [1, 7]);
}

#[test]
fn what_is_no_capture_is_neither_moved_nor_replaced_unless_asked_for() {
    for name in ["a.rtc", "a.rtc.2"] {
        let mut place = Folder::rotating_some_day();
        fs::write(place.path(name), PRECIOUS).expect("a file");
        let refused = place.begin().err().expect("it is in the way").to_string();
        assert!(refused.contains(name), "{refused}");
        assert_eq!(place.names(), [name]);
        place.config.force = true;
        finished(place.begun());
        assert_eq!(place.held("a.rtc").0, 0);
    }
    // Beyond those that are kept it does not matter.
    let place = Folder::rotating_some_day();
    fs::write(place.path("a.rtc.4"), PRECIOUS).expect("a file");
    finished(place.begun());
}

#[test]
fn a_link_to_a_capture_is_no_capture() {
    let place = Folder::rotating_some_day();
    place.earlier_run("elsewhere", 7);
    symlink(place.path("elsewhere"), place.path("a.rtc")).expect("a link");
    assert!(matches!(place.begin(), Err(RecordError::NotACapture(_))));
}

#[test]
fn without_rotation_a_capture_is_refused() {
    let place = Folder::new();
    place.earlier_run("a.rtc", 7);
    let refused = place.begin().err().expect("it is in the way").to_string();
    for words in ["a.rtc", "exists"] {
        assert!(refused.contains(words), "{refused}");
    }
    assert_eq!(place.held("a.rtc").0, 7);
}

/// Takes this number of bytes, then nothing.
struct Narrow(usize, io::ErrorKind);

impl Write for Narrow {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Narrow(left, error) = self;
        if *left == 0 {
            return Err((*error).into());
        }
        let taken = bytes.len().min(*left);
        *left -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_standard_output_that_fails_ends_the_recording_and_every_event_is_accounted_for() {
    for error in [io::ErrorKind::BrokenPipe, io::ErrorKind::StorageFull] {
        let stdout = || -> io::Result<Box<dyn Write + Send>> { Ok(Box::new(Narrow(8_000, error))) };
        let recording = Recorder::begin(&config::RecordConfig::Stdout, Some(host()), stdout);
        let mut recording = recording.expect("there is room for the head");
        for second in 0..1_000 {
            recording.item(&events(7));
            recording.item(&mark(second));
        }
        recording.item(&end(1_000));
        let summary = finished(recording);
        assert!(summary.events > 0 && summary.not_recorded > 0, "{summary}");
        assert_eq!(summary.events + summary.not_recorded, 7_000);
        assert_eq!((summary.file.as_path(), summary.files), (Path::new("-"), 1));
    }
}

#[test]
fn the_name_of_a_file_is_one_word_of_the_ledger() {
    let summary = Summary {
        file: PathBuf::from("day=1/a b\n.rtc"),
        ..Summary::default()
    };
    let line = r"ledger: capture day=1/a\u{20}b\u{a}.rtc events=0 not_recorded=0 bytes=0 files=0";
    assert_eq!(summary.to_string(), format!("{line}\n"));
}
