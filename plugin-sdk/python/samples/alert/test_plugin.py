import unittest

from plugin import SlowPeers
from retrans import MILLISECOND, SECOND, AlertState, Severity
from retrans.testing import Scenario


class SlowPeersTest(unittest.TestCase):
    def test_an_alert_begins_and_ends(self) -> None:
        outcome = (
            Scenario(SlowPeers)
            .event(peer="192.0.2.1:443", rto=200 * MILLISECOND, time=100 * SECOND)
            .event(peer="192.0.2.1:443", rto=2_500 * MILLISECOND, time=101 * SECOND)
            .event(peer="192.0.2.1:80", rto=5 * SECOND, time=110 * SECOND)
            .tick(169 * SECOND)
            .tick(170 * SECOND)
            .run()
        )
        self.assertEqual(len(outcome.kept), 3)
        firing, resolved = outcome.alerts
        self.assertEqual((firing.state, firing.severity, firing.event), (AlertState.FIRING, Severity.WARNING, 1))
        self.assertEqual((firing.name, firing.labels), ("slow-peer", (("peer", "192.0.2.1"),)))
        self.assertEqual(firing.summary, "retransmission timeout of 2500 ms")
        self.assertEqual((resolved.state, resolved.labels), (AlertState.RESOLVED, firing.labels))

    def test_alerts_end_in_the_order_of_addresses(self) -> None:
        scenario = Scenario(SlowPeers, timeout="1s", hold="0s")
        peers = ["[2001:db8::1]:1", "192.0.2.9:1", "192.0.2.10:1"]
        for peer in peers:
            scenario.event(peer=peer, rto=SECOND)
        ended = scenario.tick(2 * SECOND).run().alerts[3:]
        self.assertEqual([alert.labels[0][1] for alert in ended], ["192.0.2.9", "192.0.2.10", "2001:db8::1"])

    def test_an_unknown_timeout_is_not_long(self) -> None:
        outcome = Scenario(SlowPeers, timeout="0s").event(peer="192.0.2.1:443").run()
        self.assertEqual(outcome.alerts, [])

    def test_a_new_object_knows_the_alerts(self) -> None:
        outcome = Scenario(SlowPeers).event(rto=3 * SECOND).reload().event(rto=3 * SECOND).run()
        self.assertEqual(len(outcome.alerts), 1)

    def test_an_alert_of_an_earlier_boot_ends(self) -> None:
        outcome = Scenario(SlowPeers).event(rto=3 * SECOND, time=5_000 * SECOND).tick(SECOND).tick(61 * SECOND).run()
        self.assertEqual([alert.state for alert in outcome.alerts], [AlertState.FIRING, AlertState.RESOLVED])


if __name__ == "__main__":
    unittest.main()
