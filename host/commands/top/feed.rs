//! Hands each item of the stream to the model, and to the recording if there is one.

use std::fmt::Write as _;
use std::sync::Arc;

use indicatif::ProgressBar;

use super::recordings::Recordings;
use super::shared::Shared;
use crate::observer::Observer;
use crate::stats::Stats;
use crate::stream::batch::Batch;
use crate::stream::batch::Item;
use crate::stream::collect;
use crate::stream::moment::Mark;

/// The observer of the stream.
pub struct Feed {
    shared: Arc<Shared>,
    progress: Option<ProgressBar>,
    /// `None`: nothing can be recorded from the view.
    recordings: Option<Recordings>,
}

impl Feed {
    /// `progress` is that of a replay.
    pub fn new(
        shared: Arc<Shared>,
        progress: Option<ProgressBar>,
        recordings: Option<Recordings>,
    ) -> Feed {
        Feed {
            shared,
            progress,
            recordings,
        }
    }

    fn show(&self, item: &Item) {
        let mut model = self.shared.model();
        match item {
            Item::Events(batch) => {
                model.lost(batch.lost);
                collect::container_names(batch, &mut model.containers);
                let labels = labels(batch);
                for (number, event) in batch.events().enumerate() {
                    model.event(event, labels.get(number).map_or("", String::as_str));
                }
            }
            Item::Census(census) => model.census(census.rows()),
            Item::Mark(Mark {
                wall_time, lost, ..
            }) => {
                model.lost(*lost);
                model.mark(*wall_time);
            }
            Item::End(mark) => {
                model.lost(mark.lost);
                model.end();
            }
        }
        if let Some(progress) = &self.progress {
            let length = progress.length().filter(|length| *length > 0);
            let share = length.map(|length| progress.position() as f64 / length as f64);
            model.progress = share.map(|share| share.min(1.0));
        }
    }
}

/// The labels of each event as text; empty if there are none at all.
fn labels(batch: &Batch) -> Vec<String> {
    let columns = batch.labels.columns();
    if columns.is_empty() {
        return Vec::new();
    }
    let mut texts = vec![String::new(); batch.len()];
    for column in columns {
        for (event, value) in column.iter() {
            if let Some(text) = texts.get_mut(event as usize) {
                let comma = if text.is_empty() { "" } else { ", " };
                let _ = write!(text, "{comma}{}={value}", column.key);
            }
        }
    }
    texts
}

impl Observer for Feed {
    fn item(&mut self, item: &Item) {
        self.show(item);
        // After the model is unlocked: a recording may wait for a disk, and may log.
        if let Some(recordings) = &mut self.recordings {
            recordings.item(item, &self.shared);
        }
    }

    fn finish(&mut self) {
        if let Some(recordings) = &mut self.recordings {
            recordings.finish(&self.shared);
        }
    }

    /// The ledger has the recording of `--record`.
    fn report(&self, _stats: &mut Stats) {}
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;
    use crate::stream::labels::Column;

    #[test]
    fn labels_are_text_of_their_event() {
        let mut batch = Batch::new();
        (0..3).for_each(|_| batch.push(Record::new().as_bytes()));
        assert!(labels(&batch).is_empty());
        batch
            .labels
            .annotate(Column::new("zone", [(0, "eu"), (2, "us")]));
        batch.labels.annotate(Column::new("service", [(2, "db")]));
        assert_eq!(labels(&batch), ["zone=eu", "", "zone=us, service=db"]);
    }
}
