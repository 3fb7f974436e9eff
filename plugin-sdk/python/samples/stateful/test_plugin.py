import unittest

from plugin import KindSummary
from retrans import SECOND, Kind
from retrans.testing import Failure, Scenario


class KindSummaryTest(unittest.TestCase):
    def test_counts_are_printed_once_in_the_interval(self) -> None:
        scenario = Scenario(KindSummary).tick(5 * SECOND)
        for kind in (Kind.TIMEOUT, Kind.FAST, Kind.FAST, Kind(99)):
            scenario.event(kind=kind)
        outcome = scenario.lost(7).tick(14 * SECOND).tick(15 * SECOND).tick(25 * SECOND).run()
        self.assertEqual(
            outcome.lines,
            [
                '{"type":"kind_summary","boot_time_ns":15000000000,"events":4,"lost":7,'
                '"kinds":{"fast":2,"other(99)":1,"timeout":1}}'
            ],
        )
        self.assertEqual(outcome.counts, {"summaries": 1})

    def test_what_is_left_is_printed_at_the_end(self) -> None:
        outcome = Scenario(KindSummary, every="1s").tick(SECOND).event(kind=Kind.SYN, time=2 * SECOND).run()
        self.assertEqual(
            outcome.lines, ['{"type":"kind_summary","boot_time_ns":2000000000,"events":1,"lost":0,"kinds":{"syn":1}}']
        )

    def test_lines_go_on_in_the_next_boot(self) -> None:
        scenario = Scenario(KindSummary).tick(5_000 * SECOND).event(kind=Kind.SYN)
        outcome = scenario.tick(SECOND).tick(11 * SECOND).run()
        self.assertEqual(
            outcome.lines, ['{"type":"kind_summary","boot_time_ns":11000000000,"events":1,"lost":0,"kinds":{"syn":1}}']
        )

    def test_the_interval_has_a_least_value(self) -> None:
        with self.assertRaisesRegex(Failure, "^every: expected at least 1s, not 500ms$"):
            Scenario(KindSummary, every="500ms").run()


if __name__ == "__main__":
    unittest.main()
