import unittest

from plugin import Service
from retrans.testing import Scenario


class ServiceTest(unittest.TestCase):
    def test_other_ports_are_dropped(self) -> None:
        scenario = Scenario(Service)
        for port in (443, 80, 443, 8443):
            scenario.event(peer=f"192.0.2.1:{port}")
        self.assertEqual(scenario.run().numbers, [0, 2])

    def test_the_port_is_a_setting(self) -> None:
        outcome = Scenario(Service, port=80).event(peer="192.0.2.1:443").event(peer="[2001:db8::1]:80").run()
        self.assertEqual([str(event.peer) for event in outcome.kept], ["[2001:db8::1]:80"])


if __name__ == "__main__":
    unittest.main()
