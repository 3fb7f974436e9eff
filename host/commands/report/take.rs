//! What takes the items of a stream: the two forms of a report.

use retrans_view::report::collect::Collected;
use retrans_view::report::collect::Source;
use retrans_view::report::compare::Series;

use crate::stream::batch::Batch;
use crate::stream::batch::Item;

/// Takes the items of files, one file after the other.
pub trait Take {
    /// A file begins.
    fn begin(&mut self, source: Source);

    /// The file was cut off.
    fn cut(&mut self, why: String);

    /// Takes an item.
    fn item(&mut self, item: &Item);
}

impl Take for Collected {
    fn begin(&mut self, source: Source) {
        Collected::begin(self, source);
    }

    fn cut(&mut self, why: String) {
        Collected::cut(self, why);
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Events(batch) => {
                self.lost(batch.lost);
                if batch.labels.columns().is_empty() {
                    batch.events().for_each(|event| self.event(event, []));
                    return;
                }
                let labels = labels(batch);
                for (event, labels) in batch.events().zip(labels) {
                    self.event(event, labels);
                }
            }
            Item::Census(census) => self.census(census.rows()),
            Item::Mark(mark) | Item::End(mark) => {
                self.lost(mark.lost);
                self.mark(mark.wall_time);
            }
        }
    }
}

impl Take for Series {
    fn begin(&mut self, source: Source) {
        Series::begin(self, source);
    }

    fn cut(&mut self, why: String) {
        Series::cut(self, why);
    }

    fn item(&mut self, item: &Item) {
        match item {
            Item::Events(batch) => {
                self.lost(batch.lost);
                batch.events().for_each(|event| self.event(event));
            }
            Item::Census(census) => self.census(census.rows()),
            Item::Mark(mark) | Item::End(mark) => {
                self.lost(mark.lost);
                self.mark(mark.wall_time);
            }
        }
    }
}

/// The labels of each event.
fn labels(batch: &Batch) -> Vec<Vec<(&str, &str)>> {
    let mut labels = vec![Vec::new(); batch.len()];
    for column in batch.labels.columns() {
        for (event, value) in column.iter() {
            if let Some(labels) = labels.get_mut(event as usize) {
                labels.push((column.key.as_str(), value));
            }
        }
    }
    labels
}

#[cfg(test)]
mod tests {
    use retrans_event::Record;

    use super::*;
    use crate::stream::labels::Column;

    #[test]
    fn each_event_has_its_own_labels() {
        let mut batch = Batch::new();
        for _ in 0..3 {
            batch.push(Record::new().as_bytes());
        }
        batch
            .labels
            .annotate(Column::new("site", [(0, "a"), (2, "c")]));
        batch.labels.annotate(Column::new("rack", [(2, "r")]));
        let expected = [
            vec![("site", "a")],
            vec![],
            vec![("site", "c"), ("rack", "r")],
        ];
        assert_eq!(labels(&batch), expected);
    }
}
