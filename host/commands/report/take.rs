//! What takes the items of a stream: the two forms of a report.

use retrans_view::report::collect::Collected;
use retrans_view::report::collect::Source;
use retrans_view::report::compare::Series;

use crate::stream::batch::Item;
use crate::stream::collect;

/// Takes the items of files, one file after the other.
pub trait Take {
    /// A file begins.
    fn begin(&mut self, source: Source);

    /// The marks of the file were not recorded: they do not tell what it covers.
    fn ignore_marks(&mut self);

    /// The file was cut off.
    fn cut(&mut self, why: String);

    /// Takes an item.
    fn item(&mut self, item: &Item);
}

impl Take for Collected {
    fn begin(&mut self, source: Source) {
        Collected::begin(self, source);
    }

    fn ignore_marks(&mut self) {
        Collected::ignore_marks(self);
    }

    fn cut(&mut self, why: String) {
        Collected::cut(self, why);
    }

    fn item(&mut self, item: &Item) {
        collect::item(item, self);
    }
}

impl Take for Series {
    fn begin(&mut self, source: Source) {
        Series::begin(self, source);
    }

    fn ignore_marks(&mut self) {
        Series::ignore_marks(self);
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
