//! Shares as text.

use std::fmt;

/// The first number as a percentage of the second, or `-` if the second is 0. It is rounded away from 100 %, which is
/// printed only if it is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(pub u64, pub u64);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (part, whole) = (u128::from(self.0) * 10_000, u128::from(self.1));
        if whole == 0 {
            return f.write_str("-");
        }
        let hundredths = if self.0 > self.1 {
            part.div_ceil(whole)
        } else {
            part / whole
        };
        write!(f, "{}.{:02}%", hundredths / 100, hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_100_percent_only_where_it_is_exact() {
        let percent = |part, whole| Percent(part, whole).to_string();
        assert_eq!(percent(0, 0), "-");
        assert_eq!(percent(3, 0), "-");
        assert_eq!(percent(0, 3), "0.00%");
        assert_eq!(percent(2, 3), "66.66%");
        assert_eq!(percent(99_999, 100_000), "99.99%");
        assert_eq!(percent(100_000, 100_000), "100.00%");
        assert_eq!(percent(100_001, 100_000), "100.01%");
        assert_eq!(percent(u64::MAX, u64::MAX), "100.00%");
    }
}
