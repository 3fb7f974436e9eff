import unittest

from plugin import Network
from retrans.testing import Scenario


class NetworkTest(unittest.TestCase):
    def test_a_peer_in_a_network_gets_the_label(self) -> None:
        scenario = Scenario(Network, networks=["10.0.0.0/8", "2001:db8::/32"], name="here")
        for peer in ("10.1.2.3:443", "192.0.2.1:443", "[2001:db8::1]:443", "[2001:db9::1]:443"):
            scenario.event(peer=peer)
        outcome = scenario.run()
        self.assertEqual(outcome.labels("network"), ["here", None, "here", None])

    def test_one_network_needs_no_list(self) -> None:
        outcome = Scenario(Network, networks="192.0.2.1").event(peer="192.0.2.1:443").run()
        self.assertEqual(outcome.labels("network"), ["internal"])

    def test_an_earlier_label_stays_elsewhere(self) -> None:
        outcome = Scenario(Network).event({"network": "earlier"}, peer="192.0.2.1:443").run()
        self.assertEqual(outcome.labels("network"), ["earlier"])


if __name__ == "__main__":
    unittest.main()
