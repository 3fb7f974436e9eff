//! What connections have sent, as a plugin sees it.

use std::time::Duration;

use retrans_event::CensusRow;

/// Whether a plugin takes censuses: [`Plugin::CENSUS`](crate::Plugin::CENSUS).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CensusUse {
    /// It takes none.
    None,
    /// It takes those that are made anyway: with `--census`, because another plugin requires one, or in a capture.
    Optional,
    /// A live run makes one for it, once in 10 s unless `--census` sets another interval.
    Required,
}

impl CensusUse {
    /// Returns whether it takes any.
    pub const fn is_any(self) -> bool {
        !matches!(self, CensusUse::None)
    }

    /// The value of the key "census" in the plugin's description.
    #[cfg(any(target_family = "wasm", test))]
    pub(crate) const fn described(self) -> Option<&'static str> {
        match self {
            CensusUse::None => None,
            CensusUse::Optional => Some("optional"),
            CensusUse::Required => Some("required"),
        }
    }
}

/// What connections have sent in an interval, in rows by network namespace, peer and service.
///
/// A tick has one census as a rule. It has the rows of several where the plugin got no tick in between, as in a replay of
/// lines: [`CensusRow::time`] tells them apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Census {
    rows: Vec<CensusRow>,
    // Known from the beginning: plugins ask for these once for each row or key, and there are up to 65,536.
    is_complete: bool,
    time: Duration,
    interval: Duration,
}

impl Census {
    /// A census of these rows.
    pub fn new(rows: impl IntoIterator<Item = CensusRow>) -> Census {
        let rows: Vec<CensusRow> = rows.into_iter().collect();
        let latest = rows.iter().map(|row| (row.time, row.interval)).max();
        let (time, interval) = latest.unwrap_or_default();
        Census {
            is_complete: rows.iter().all(|row| row.is_complete),
            time,
            interval,
            rows,
        }
    }

    /// The rows. There is at least one.
    pub fn rows(&self) -> &[CensusRow] {
        &self.rows
    }

    /// Returns whether everything was counted in the interval, or in all of several.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// The end of the latest interval, as the time since boot.
    pub fn time(&self) -> Duration {
        self.time
    }

    /// The length of the latest interval.
    pub fn interval(&self) -> Duration {
        self.interval
    }
}

/// A census without rows, in which everything was counted.
impl Default for Census {
    fn default() -> Census {
        Census::new([])
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::Event;
    use crate::NoSettings;
    use crate::Output;
    use crate::Plugin;
    use crate::Result;
    use crate::Verdict;
    use crate::testing::Scenario;
    use crate::testing::Synth;

    /// Prints the ports of each census, and each tick.
    struct Ports;

    impl Plugin for Ports {
        type Settings = NoSettings;
        const CENSUS: CensusUse = CensusUse::Required;

        fn new(_: NoSettings) -> Result<Self> {
            Ok(Ports)
        }

        fn on_event(&mut self, _: &mut Event<'_>, _: &mut Output) -> Result<Verdict> {
            Ok(Verdict::Keep)
        }

        fn on_census(&mut self, census: &Census, out: &mut Output) -> Result<()> {
            let ports = census.rows().iter().map(|row| row.service_port.to_string());
            let ports = ports.collect::<Vec<_>>().join(" ");
            let at = census.time().as_secs();
            out.line(format_args!("{ports} at {at}, {}", census.is_complete()));
            Ok(())
        }

        fn on_tick(&mut self, now: Duration, out: &mut Output) -> Result<()> {
            out.line(format_args!("tick {}", now.as_secs()));
            Ok(())
        }
    }

    fn row(port: u16, second: u64) -> CensusRow {
        CensusRow {
            service_port: port,
            peer_address: IpAddr::from([10, 0, 0, 1]),
            time: Duration::from_secs(second),
            is_complete: port != 9,
            ..CensusRow::EMPTY
        }
    }

    #[test]
    fn a_census_comes_with_the_next_tick_before_it_or_at_the_end() {
        let scenario = Scenario::new()
            .events(Synth::new(1).take(20))
            .census([row(1, 5), row(2, 5)])
            .events(Synth::new(2).take(20))
            .census([row(3, 6)])
            .tick(Duration::from_secs(7))
            .tick(Duration::from_secs(8))
            .census([row(9, 9)]);
        let lines = scenario.run::<Ports>().expect("it is sound").lines;
        let expected = ["1 2 3 at 6, true", "tick 7", "tick 8", "9 at 9, false"];
        assert_eq!(lines, expected);
    }

    #[test]
    fn many_rows_come_in_parts_and_are_one_census() {
        let rows = (0..3_000).map(|port| row(port, 1));
        let scenario = Scenario::new().census(rows).tick(Duration::from_secs(1));
        let lines = scenario.run::<Ports>().expect("it is sound").lines;
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].split(' ').count(), 3_000 + 3);
    }

    #[test]
    fn the_lines_of_a_census_are_read() {
        let line = |row: &CensusRow| serde_json::to_string(row).expect("numbers alone");
        let text = [row(1, 5), row(2, 5), row(3, 7)]
            .map(|row| line(&row))
            .join("\n");
        let scenario = Scenario::from_json_lines(&text).expect("it is sound");
        let lines = scenario.run::<Ports>().expect("it is sound").lines;
        assert_eq!(lines, ["1 2 at 5, true", "tick 6", "3 at 7, true"]);
        let error = Scenario::from_json_lines(r#"{"type":"census"}"#).expect_err("no row");
        assert!(format!("{error:#}").starts_with("line 1: "), "{error:#}");
    }

    #[test]
    fn of_several_censuses_the_interval_is_that_of_the_latest_and_all_must_be_complete() {
        let row = |port, second, interval| CensusRow {
            interval: Duration::from_secs(interval),
            ..row(port, second)
        };
        let rows = [row(1, 50, 10), row(2, 53, 3), row(3, 50, 10)];
        let census = Census::new(rows);
        let (time, interval) = (census.time().as_secs(), census.interval().as_secs());
        assert_eq!((time, interval, census.is_complete()), (53, 3, true));
        // The row of port 9 is incomplete.
        let census = Census::new(rows.into_iter().chain([row(9, 40, 10)]));
        assert_eq!(
            (census.interval().as_secs(), census.is_complete()),
            (3, false)
        );
    }

    #[test]
    fn to_ask_a_census_takes_no_pass_over_its_rows() {
        // With a pass for each, this is 4 billion steps, and a plugin misses its deadline.
        let census = Census::new((0..65_536).map(|port| row(port as u16 | 16, 1)));
        let begin = std::time::Instant::now();
        let complete = census.rows().iter().filter(|_| census.is_complete());
        assert_eq!(complete.count(), 65_536);
        assert!(begin.elapsed() < Duration::from_secs(2));
    }

    #[test]
    fn what_a_plugin_says_of_it_is_known_to_the_host() {
        let said = [CensusUse::None, CensusUse::Optional, CensusUse::Required];
        let said = said.map(|of| (of.is_any(), of.described()));
        let expected = [
            (false, None),
            (true, Some("optional")),
            (true, Some("required")),
        ];
        assert_eq!(said, expected);
    }
}
