//! Hands the rows of censuses to a plugin in parts.

use std::sync::Arc;

use retrans_event::CENSUS_ROW_SIZE;

use crate::stream::census::Census;

/// The most rows of a part.
const MAX_ROWS: usize = 1_024;

/// The rows that a call has not taken yet.
#[derive(Debug, Default)]
pub struct CensusParts {
    /// In reverse order: the next one is the last.
    censuses: Vec<Arc<Census>>,
    /// Bytes of the next census that were taken.
    taken: usize,
}

impl CensusParts {
    /// The rows of these censuses, in order.
    pub(crate) fn new(mut censuses: Vec<Arc<Census>>) -> CensusParts {
        censuses.reverse();
        CensusParts { censuses, taken: 0 }
    }

    /// Takes the next [`MAX_ROWS`] rows at most, of one census. Empty if there are no more.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        while let Some(census) = self.censuses.last() {
            let rest = &census.as_bytes()[self.taken..];
            if !rest.is_empty() {
                let part = &rest[..rest.len().min(MAX_ROWS * CENSUS_ROW_SIZE)];
                self.taken += part.len();
                return part.to_vec();
            }
            self.censuses.pop();
            self.taken = 0;
        }
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use retrans_event::CensusRow;

    use super::*;

    #[test]
    fn parts_have_all_rows_in_order() {
        let rows = |from: u64, to: u64| {
            let row = |number| CensusRow {
                segments: number,
                ..CensusRow::EMPTY
            };
            Arc::new(Census::new((from..to).map(row)))
        };
        let censuses = vec![rows(0, 2_500), rows(0, 0), rows(2_500, 2_501)];
        let mut parts = CensusParts::new(censuses);
        let mut lengths = Vec::new();
        let mut segments = Vec::new();
        loop {
            let part = parts.take();
            lengths.push(part.len() / CENSUS_ROW_SIZE);
            if part.is_empty() {
                break;
            }
            segments.extend(CensusRow::rows(&part).map(|row| row.segments));
        }
        assert_eq!(lengths, [1_024, 1_024, 452, 1, 0]);
        assert!(segments.into_iter().eq(0..2_501));
        assert!(parts.take().is_empty());
    }
}
