//! Recordings that are begun and ended from the view, each a file of its own in one directory.

use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use retrans_view::top::Recording;

use super::shared::Shared;
use crate::capture::Host;
use crate::capture::RecordError;
use crate::capture::Recorder;
use crate::config::ExistingFile;
use crate::config::RecordConfig;
use crate::config::RecordFile;
use crate::config::Rotate;
use crate::observer::Observer as _;
use crate::stream::batch::Item;
use crate::stream::moment::Mark;
use crate::system::sandbox;
use crate::system::timestamp;

/// Files that are begun within the same second have numbers up to this one.
const MAX_NUMBER: u32 = 9;

/// Begins and ends recordings.
pub struct Recordings {
    directory: PathBuf,
    host: Option<Host>,
    has_census: bool,
    /// The recording that is being made, and its file.
    current: Option<(Recorder, PathBuf)>,
    /// The latest moment of the stream.
    now: Mark,
}

impl Recordings {
    /// Recordings in this directory. `host` is the machine of the events; `has_census`: the stream may have a census.
    pub fn new(directory: PathBuf, host: Option<Host>, has_census: bool) -> Recordings {
        Recordings {
            directory,
            host,
            has_census,
            current: None,
            now: Mark::default(),
        }
    }

    /// Takes an item: begins or ends the recording, as it is wanted, and records the item.
    pub fn item(&mut self, item: &Item, shared: &Shared) {
        let is_end = matches!(item, Item::End(_));
        match (shared.wants_recording(), self.current.is_some()) {
            (true, false) if !is_end => self.begin(shared),
            (false, true) => self.end(shared),
            _ => {}
        }
        let at = match item {
            Item::Events(batch) => Some(batch.now()),
            Item::Census(census) => census.now(),
            Item::Mark(mark) | Item::End(mark) => Some(mark.now()),
        };
        if let Some(at) = at {
            self.now = Mark {
                time: at.time,
                wall_time: at.wall_time,
                lost: 0,
            };
        }
        if let Some((recorder, _)) = &mut self.current {
            recorder.item(item);
            shared.model().record(state(recorder));
        }
    }

    fn begin(&mut self, shared: &Shared) {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
        let name = name(since_1970.unwrap_or_default());
        let begun = (1..=MAX_NUMBER).find_map(|number| {
            let number = match number {
                1 => String::new(),
                number => format!("-{number}"),
            };
            let file = self.directory.join(format!("{name}{number}.rtc"));
            match self.begin_file(&file) {
                Err(RecordError::Exists(_)) => None,
                begun => Some(begun.map(|recorder| (recorder, file))),
            }
        });
        match begun {
            Some(Ok((recorder, file))) => {
                tracing::info!("recording to {}", file.display());
                shared.model().record(state(&recorder));
                self.current = Some((recorder, file));
            }
            Some(Err(error)) => fail(shared, &error.to_string()),
            None => fail(shared, "there is a file with this name already"),
        }
    }

    fn begin_file(&self, file: &Path) -> Result<Recorder, RecordError> {
        let config = RecordConfig::File(RecordFile {
            file: file.to_owned(),
            rotate: Rotate::default(),
            keep: 0,
            existing: ExistingFile::Refuse,
        });
        let no_stdout = || Err(std::io::ErrorKind::Unsupported.into());
        let begun = Recorder::begin(&config, self.host.clone(), self.has_census, no_stdout);
        begun.map_err(|error| match error {
            RecordError::Io { file, error } => RecordError::Io {
                error: sandbox::explained(&file, error),
                file,
            },
            error => error,
        })
    }

    fn end(&mut self, shared: &Shared) {
        let Some((mut recorder, file)) = self.current.take() else {
            return;
        };
        recorder.item(&Item::End(self.now));
        recorder.finish();
        let summary = recorder.summary();
        tracing::info!(
            "recorded {} events to {}, {} not recorded",
            summary.events,
            file.display(),
            summary.not_recorded
        );
        shared.model().record(Recording::Off);
    }

    /// Ends the recording at the end of the stream, which it has seen.
    pub fn finish(&mut self, shared: &Shared) {
        if let Some((mut recorder, _)) = self.current.take() {
            recorder.finish();
            shared.model().record(state(&recorder));
        }
    }
}

fn fail(shared: &Shared, error: &str) {
    shared.give_up_recording();
    tracing::error!("{error}");
    shared.model().record(Recording::Failed(error.to_owned()));
}

fn state(recorder: &Recorder) -> Recording {
    let summary = recorder.summary();
    Recording::On {
        events: summary.events,
        bytes: summary.bytes,
        not_recorded: summary.not_recorded,
    }
}

/// The name of a file that is begun at a time of day, without its ending: `retrans-20261127T140534Z`.
fn name(now: Duration) -> String {
    let time = timestamp::show(now, 0).replace(['-', ':'], "");
    format!("retrans-{time}")
}

#[cfg(test)]
mod tests {
    use retrans_view::top::Model;
    use retrans_view::top::Source;

    use super::*;
    use crate::stream::batch::Batch;

    #[test]
    fn a_name_has_the_time_of_day() {
        let time = Duration::from_millis(1_800_000_000_123);
        assert_eq!(name(time), "retrans-20270115T080000Z");
    }

    fn shared() -> Shared {
        let mut model = Model::new(Source::Live("btf".to_owned()));
        model.record(Recording::Off);
        Shared::new(model)
    }

    fn events(number: u64) -> Item {
        let mut batch = Batch::new();
        for _ in 0..number {
            batch.push_empty().expect("room for an event");
        }
        Item::Events(batch)
    }

    #[test]
    fn each_recording_is_a_whole_file_of_its_own() -> anyhow::Result<()> {
        let directory = tempfile::tempdir()?;
        let shared = shared();
        let mut recordings = Recordings::new(directory.path().to_owned(), None, true);
        let mark = Item::Mark(Mark::default());
        recordings.item(&events(1), &shared);
        for number in [2, 3] {
            shared.toggle_recording();
            recordings.item(&events(number), &shared);
            recordings.item(&mark, &shared);
            let Recording::On { events, .. } = shared.model().recording else {
                panic!("{:?}", shared.model().recording);
            };
            assert_eq!(events, number);
            shared.toggle_recording();
            recordings.item(&events_after(), &shared);
            assert_eq!(shared.model().recording, Recording::Off);
        }
        let mut counts = Vec::new();
        for file in std::fs::read_dir(directory.path())? {
            let mut reader = crate::capture::Reader::new(std::fs::File::open(file?.path())?)?;
            let mut count = 0;
            while let Some(item) = reader.item(Batch::new)? {
                if let Item::Events(batch) = item {
                    count += batch.len();
                }
            }
            counts.push(count);
        }
        counts.sort_unstable();
        assert_eq!(counts, [2, 3]);
        Ok(())
    }

    fn events_after() -> Item {
        events(5)
    }

    #[test]
    fn a_recording_that_cannot_begin_says_why() {
        let shared = shared();
        let mut recordings = Recordings::new("/nowhere".into(), None, false);
        shared.toggle_recording();
        recordings.item(&events(1), &shared);
        let recording = shared.model().recording.clone();
        let Recording::Failed(error) = recording else {
            panic!("{recording:?}");
        };
        assert!(
            error.starts_with("cannot record to /nowhere/retrans-"),
            "{error}"
        );
        assert!(!shared.wants_recording());
    }
}
