//! Recordings whose files are moved, deleted or replaced, or exist already.

mod existing;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use retrans_event::Record as Event;
use rustix::process::Uid;
use rustix::process::geteuid;
use rustix::thread::set_thread_res_uid;

use super::*;
use crate::capture::CaptureError;
use crate::capture::Reader;
use crate::config::ExistingFile;
use crate::stream::batch::Batch;
use crate::stream::moment::Mark;

/// Content of a file that is not a capture.
const OTHER_CONTENT: &str = "not a capture";

/// A directory with a file to record to.
struct Folder {
    directory: tempfile::TempDir,
    config: config::RecordFile,
}

/// Ends a recording, and returns its counters.
fn finished(mut recorder: Recorder) -> RecordingStats {
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
            existing: ExistingFile::Refuse,
        };
        Folder { directory, config }
    }

    /// With a rotation after every item.
    fn rotating() -> Folder {
        let mut folder = Folder::new();
        folder.config.rotate.bytes = Some(1);
        folder
    }

    /// With rotation configured, at a size that no test reaches.
    fn with_rotation() -> Folder {
        let mut folder = Folder::new();
        folder.config.rotate.bytes = Some(u64::MAX);
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn begin(&self) -> Result<Recorder, RecordError> {
        Recorder::begin(
            &config::RecordConfig::File(self.config.clone()),
            Some(host()),
            false,
            no_stdout,
        )
    }

    fn begun(&self) -> Recorder {
        self.begin().expect("no file protects the name")
    }

    /// Leaves the capture of an earlier run with `count` events that was killed: it has no end frame.
    fn earlier_run(&self, name: &str, count: u64) {
        let folder = Folder::new();
        let mut recorder = folder.begun();
        recorder.item(&events(count));
        recorder.item(&mark(1));
        fs::copy(folder.path("a.rtc"), self.path(name)).expect("a copy");
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

    /// Number of events in a capture, and number of events that it reports as lost.
    #[track_caller]
    fn contents(&self, name: &str) -> (u64, u64) {
        contents(&self.path(name))
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
fn contents(file: &Path) -> (u64, u64) {
    let file = fs::File::open(file).expect("a file");
    let mut reader = Reader::new(file).expect("a capture");
    let (mut events, mut lost) = (0, 0);
    loop {
        match reader.item(Batch::new) {
            Ok(Some(Item::Events(batch))) => {
                events += batch.len() as u64;
                lost += batch.lost;
            }
            Ok(Some(Item::Census(_))) => {}
            Ok(Some(Item::Mark(mark) | Item::End(mark))) => lost += mark.lost,
            Ok(None) | Err(CaptureError::Cut { .. }) => return (events, lost),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn the_events_of_a_deleted_file_are_not_recorded_and_another_file_begins() {
    let folder = Folder::new();
    let mut recorder = folder.begun();
    recorder.item(&events(3));
    recorder.item(&mark(1));
    fs::remove_file(folder.path("a.rtc")).expect("it was there");
    recorder.item(&events(2));
    recorder.item(&mark(2));
    recorder.item(&events(4));
    recorder.item(&mark(3));
    recorder.item(&end(4));
    let summary = finished(recorder);
    assert_eq!((summary.events, summary.not_recorded), (4, 5));
    // What a metric has counted stays counted.
    assert_eq!(summary.written, 3 + 4);
    assert_eq!(summary.files, 2);
    assert_eq!(folder.contents("a.rtc"), (4, 5));
    let bytes = fs::metadata(folder.path("a.rtc")).expect("a file").len();
    assert_eq!(summary.bytes, bytes);
}

#[test]
fn a_file_that_is_deleted_last_is_not_recorded_either() {
    for last in [mark(2), end(2)] {
        let folder = Folder::new();
        let mut recorder = folder.begun();
        recorder.item(&events(3));
        recorder.item(&mark(1));
        fs::remove_file(folder.path("a.rtc")).expect("it was there");
        let ends = matches!(last, Item::End(_));
        recorder.item(&last);
        let summary = finished(recorder);
        assert_eq!((summary.events, summary.not_recorded), (0, 3));
        // No file is begun after the end of the stream.
        assert_eq!(summary.files, if ends { 1 } else { 2 });
    }
}

#[test]
fn a_name_that_was_taken_meanwhile_is_not_taken_back() {
    let mut folder = Folder::new();
    for existing in [
        ExistingFile::Refuse,
        ExistingFile::MoveAside,
        ExistingFile::Replace,
    ] {
        folder.config.existing = existing;
        let file = folder.path("a.rtc");
        let mut recorder = folder.begun();
        recorder.item(&events(3));
        recorder.item(&mark(1));
        fs::write(folder.path("other"), OTHER_CONTENT).expect("a file");
        fs::rename(folder.path("other"), &file).expect("a file");
        recorder.item(&mark(2));
        recorder.item(&events(2));
        recorder.item(&mark(3));
        let summary = finished(recorder);
        if existing == ExistingFile::Replace {
            assert_eq!((summary.events, summary.not_recorded), (2, 3));
            assert_eq!(folder.contents("a.rtc"), (2, 3));
        } else {
            assert_eq!((summary.events, summary.not_recorded), (0, 5));
            assert_eq!(fs::read_to_string(&file).expect("text"), OTHER_CONTENT);
            fs::remove_file(&file).expect("it was there");
        }
    }
}

#[test]
fn a_recording_goes_on_as_soon_as_its_name_is_free() {
    let folder = Folder::new();
    let file = folder.path("a.rtc");
    let mut recorder = folder.begun();
    recorder.item(&events(3));
    recorder.item(&mark(1));
    fs::write(folder.path("other"), OTHER_CONTENT).expect("a file");
    fs::rename(folder.path("other"), &file).expect("a file");
    recorder.item(&mark(2));
    recorder.item(&events(2));
    fs::remove_file(&file).expect("it was there");
    recorder.item(&mark(3));
    recorder.item(&events(4));
    recorder.item(&end(4));
    let summary = finished(recorder);
    assert_eq!((summary.events, summary.not_recorded), (4, 5));
    assert_eq!(folder.contents("a.rtc"), (4, 5));
}

#[test]
fn a_file_that_is_moved_goes_on_under_its_new_name() {
    let folder = Folder::new();
    let mut recorder = folder.begun();
    recorder.item(&events(3));
    fs::rename(folder.path("a.rtc"), folder.path("moved")).expect("it was there");
    recorder.item(&mark(1));
    recorder.item(&events(2));
    recorder.item(&end(2));
    let summary = finished(recorder);
    assert_eq!((summary.events, summary.not_recorded), (5, 0));
    assert_eq!(folder.names(), ["moved"]);
    assert_eq!(folder.contents("moved"), (5, 0));
}

/// A thread creates a link at the name whenever the name is free.
#[test]
fn no_link_that_is_put_in_the_way_ends_or_redirects_a_rotating_recording() {
    let folder = Folder::rotating();
    let (file, target) = (folder.path("a.rtc"), folder.path("target"));
    fs::write(&target, OTHER_CONTENT).expect("a file");
    let mut recorder = folder.begun();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let _ = symlink(&target, &file);
            }
        });
        for second in 0..300 {
            recorder.item(&events(1));
            recorder.item(&mark(second));
        }
        over.store(true, Ordering::Relaxed);
    });
    let summary = finished(recorder);
    assert_eq!((summary.events, summary.not_recorded), (300, 0));
    assert_eq!(fs::read_to_string(&target).expect("text"), OTHER_CONTENT);
}

#[test]
fn a_link_that_takes_the_place_of_a_file_is_replaced_at_the_next_rotation() {
    let folder = Folder::rotating();
    let (file, target) = (folder.path("a.rtc"), folder.path("target"));
    fs::write(&target, OTHER_CONTENT).expect("a file");
    let mut recorder = folder.begun();
    fs::rename(&file, folder.path("moved")).expect("it was there");
    symlink(&target, &file).expect("a link");
    recorder.item(&events(1));
    recorder.item(&mark(1));
    let summary = finished(recorder);
    assert_eq!((summary.events, summary.not_recorded), (1, 0));
    assert!(!file.is_symlink());
    assert!(
        folder
            .names()
            .iter()
            .all(|name| !folder.path(name).is_symlink())
    );
    assert_eq!(fs::read_to_string(&target).expect("text"), OTHER_CONTENT);
}

/// An error that passes, here that of a mode, does not cost the file that was completed just before.
#[test]
fn a_file_that_cannot_be_read_for_a_while_is_not_replaced_by_a_rotation() {
    without_privileges(|| {
        let folder = Folder::rotating();
        let file = folder.path("a.rtc");
        let mut recorder = folder.begun();
        let set_mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode));
        set_mode(0o0).expect("the file is ours");
        recorder.item(&events(3));
        recorder.item(&mark(1));
        recorder.item(&events(2));
        set_mode(0o600).expect("the file is ours");
        recorder.item(&mark(2));
        recorder.item(&end(3));
        let summary = finished(recorder);
        assert_eq!((summary.events, summary.not_recorded), (3, 2));
        let names = folder.names();
        let events = names.iter().map(|name| folder.contents(name).0);
        assert_eq!(events.sum::<u64>(), 3, "{names:?}");
    });
}

/// Runs a test on a thread that may not read files of any mode: root's becomes that of another user.
fn without_privileges(test: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let run = || {
            if geteuid().is_root() {
                // The user without files of its own, as on every distribution.
                let uid = Uid::from_raw(65_534);
                set_thread_res_uid(uid, uid, uid).expect("root may change its user");
            }
            test();
        };
        scope.spawn(run).join().expect("the test passes");
    });
}

/// Accepts this number of bytes, and then fails with this error.
struct Limited(usize, io::ErrorKind);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Limited(left, error) = self;
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
        let stdout =
            || -> io::Result<Box<dyn Write + Send>> { Ok(Box::new(Limited(8_000, error))) };
        let recorder = Recorder::begin(&config::RecordConfig::Stdout, Some(host()), false, stdout);
        let mut recorder = recorder.expect("there is room for the head");
        for second in 0..1_000 {
            recorder.item(&events(7));
            recorder.item(&mark(second));
        }
        recorder.item(&end(1_000));
        let summary = finished(recorder);
        assert!(summary.events > 0 && summary.not_recorded > 0, "{summary}");
        assert_eq!(summary.events + summary.not_recorded, 7_000);
        assert_eq!((summary.file.as_path(), summary.files), (Path::new("-"), 1));
    }
}
