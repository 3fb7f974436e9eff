//! A census: what all connections have sent in an interval, as rows.

use retrans_event::CENSUS_ROW_SIZE;
use retrans_event::CensusRow;

use super::moment::Moment;

/// The rows of one interval.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Rows of [`CENSUS_ROW_SIZE`] bytes, back to back.
    bytes: Vec<u8>,
}

impl Census {
    /// A census of these rows.
    pub fn new(rows: impl IntoIterator<Item = CensusRow>) -> Census {
        let mut census = Census::default();
        for row in rows {
            census.push(&row);
        }
        census
    }

    /// A census of the rows in `bytes`, which have [`CENSUS_ROW_SIZE`] bytes each. `None` if they do not.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Census> {
        let is_whole = bytes.len().is_multiple_of(CENSUS_ROW_SIZE)
            && CensusRow::rows(&bytes).count() == bytes.len() / CENSUS_ROW_SIZE;
        is_whole.then_some(Census { bytes })
    }

    /// Adds a row.
    pub fn push(&mut self, row: &CensusRow) {
        self.bytes.extend_from_slice(&row.to_bytes());
    }

    /// The bytes of all rows.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.bytes.len() / CENSUS_ROW_SIZE
    }

    /// Returns whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The rows, in order.
    pub fn rows(&self) -> impl Iterator<Item = CensusRow> {
        CensusRow::rows(&self.bytes)
    }

    /// The end of the interval; `None` without rows.
    pub fn now(&self) -> Option<Moment> {
        let row = self.rows().next()?;
        Some(Moment {
            time: row.time,
            wall_time: row.wall_time,
        })
    }

    /// Keeps the rows for which `keep` returns true.
    pub fn retain(&mut self, mut keep: impl FnMut(&CensusRow) -> bool) {
        let kept = Census::new(self.rows().filter(|row| keep(row)));
        *self = kept;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn rows_are_those_that_were_added() {
        let row = |port| CensusRow {
            service_port: port,
            time: Duration::from_secs(7),
            ..CensusRow::EMPTY
        };
        let mut census = Census::new([row(1), row(2), row(3)]);
        assert_eq!(
            census.now().map(|now| now.time),
            Some(Duration::from_secs(7))
        );
        assert_eq!(
            Census::from_bytes(census.as_bytes().to_vec()),
            Some(census.clone())
        );
        census.retain(|row| row.service_port != 2);
        assert_eq!(census.rows().collect::<Vec<_>>(), [row(1), row(3)]);
        assert_eq!(census.len(), 2);
    }

    #[test]
    fn bytes_that_are_no_rows_are_refused() {
        let good = CensusRow::EMPTY.to_bytes().to_vec();
        assert!(Census::from_bytes(good.clone()).is_some());
        assert_eq!(Census::from_bytes(good[1..].to_vec()), None);
        let mut other_size = good;
        other_size[0] += 1;
        assert_eq!(Census::from_bytes(other_size), None);
    }
}
