"""Settings: the schema, values, and errors; durations and networks."""

import json
import unittest
from enum import Enum
from ipaddress import IPv4Network, ip_address
from typing import Any, ClassVar, Literal

from retrans import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    Duration,
    IPAddress,
    Network,
    Networks,
    Plugin,
    SettingError,
    format_duration,
    parse_duration,
    parse_network,
    setting,
)
from retrans._settings import read_settings, schema_of


class By(Enum):
    PEER = "peer"
    PORT = "peer_port"


class Everything(Plugin):
    LIMIT: ClassVar[int] = 3

    port: int = setting(443, "A port.", min=1, max=65535)
    ratio: float = 0.5
    on: bool = False
    word: Literal["a", "b"] = "a"
    by: By = By.PEER
    name: str = setting("x", min_length=1, max_length=3)
    every: Duration = setting(10 * SECOND, min=SECOND, max=HOUR)
    peer: IPAddress | None = None
    network: Network = setting(IPv4Network("10.0.0.0/8"))
    networks: Networks = Networks()
    words: list[str] = setting([])


class Needed(Plugin):
    port: int


def read(**given: Any) -> dict[str, object]:
    return read_settings(Everything._settings, json.dumps(given))


class SchemaTest(unittest.TestCase):
    def test_the_schema_has_types_defaults_and_documentation(self) -> None:
        schema = json.loads(schema_of(Everything._settings))
        self.assertEqual((schema["type"], schema["additionalProperties"]), ("object", False))
        self.assertNotIn("required", schema)
        of = schema["properties"]
        self.assertEqual(
            of["port"],
            {"type": "integer", "minimum": 1, "maximum": 65535, "description": "A port.", "default": 443},
        )
        self.assertEqual(of["ratio"], {"type": "number", "default": 0.5})
        self.assertEqual(of["on"], {"type": "boolean", "default": False})
        self.assertEqual(of["word"], {"type": "string", "enum": ["a", "b"], "default": "a"})
        self.assertEqual(of["by"], {"type": "string", "enum": ["peer", "peer_port"], "default": "peer"})
        self.assertEqual(of["name"], {"type": "string", "minLength": 1, "maxLength": 3, "default": "x"})
        self.assertEqual((of["every"]["default"], "minimum" in of["every"]), ("10s", False))
        self.assertEqual(of["peer"], {"type": "string", "format": "ip"})
        self.assertEqual(of["network"]["default"], "10.0.0.0/8")
        self.assertEqual(of["networks"]["default"], [])
        self.assertEqual(of["words"]["anyOf"][1], {"type": "array", "items": {"type": "string"}})

    def test_a_setting_without_a_default_is_required(self) -> None:
        self.assertEqual(json.loads(schema_of(Needed._settings))["required"], ["port"])
        with self.assertRaisesRegex(SettingError, "^port: it must be set$"):
            read_settings(Needed._settings, "{}")
        with self.assertRaisesRegex(SettingError, "^port: it must be set$"):
            Needed()

    def test_mistakes_in_the_declaration_are_found_at_once(self) -> None:
        with self.assertRaisesRegex(TypeError, "Odd.pair: a setting cannot have the type"):

            class Odd(Plugin):
                pair: tuple[int, int] = (1, 2)

        with self.assertRaisesRegex(TypeError, "Clash.on_tick: a plugin has something of this name"):

            class Clash(Plugin):
                on_tick: int = 1  # type: ignore[assignment]

        with self.assertRaisesRegex(TypeError, "Unfit.name: a setting of this type has no minimum"):

            class Unfit(Plugin):
                name: str = setting("", min=1)


class ValuesTest(unittest.TestCase):
    def test_values_have_their_types(self) -> None:
        self.assertEqual(Everything(**read()).port, 443)
        plugin = Everything(
            **read(
                port=1, ratio=1, on=True, word="b", by="peer_port", name="abc", every="1m 30s", peer="::ffff:1.2.3.4"
            )
        )
        self.assertEqual((plugin.port, plugin.on, plugin.word, plugin.by), (1, True, "b", By.PORT))
        self.assertIsInstance(plugin.ratio, float)
        self.assertEqual((plugin.every, plugin.peer), (90 * SECOND, ip_address("1.2.3.4")))

    def test_one_or_many(self) -> None:
        self.assertEqual((read(words="a")["words"], read(words=["a", "b"])["words"]), (["a"], ["a", "b"]))
        networks = read(networks="10.0.0.0/8")["networks"]
        assert isinstance(networks, Networks)
        self.assertIn(ip_address("10.1.2.3"), networks)

    def test_objects_do_not_share_a_default(self) -> None:
        first = Everything()
        first.words.append("x")
        self.assertEqual(Everything().words, [])

    def test_a_wrong_value_names_its_setting(self) -> None:
        for given, message in (
            ({"port": "x"}, 'port: expected a whole number, not "x"'),
            ({"port": True}, "port: expected a whole number, not true"),
            ({"port": 0}, "port: expected at least 1, not 0"),
            ({"port": 65536}, "port: expected at most 65535, not 65536"),
            ({"word": "c"}, 'word: expected one of a, b, not "c"'),
            ({"name": ""}, "name: expected at least 1 characters, not "),
            ({"every": "500ms"}, "every: expected at least 1s, not 500ms"),
            ({"every": 5}, "every: expected text, not 5"),
            ({"every": "5 parsecs"}, 'every: expected a duration such as "10s", "250ms" or "1m30s", not \'5 parsecs\''),
            ({"networks": ["10.0.0.1/8"]}, "networks: 10.0.0.1/8 has bits after the first 8: expected 10.0.0.0/8"),
            ({"network": "10.0.0.0/33"}, "network: 10.0.0.0/33 has too many bits: expected at most 32"),
            ({"words": [1]}, "words: expected text or a list of texts, not [1]"),
            ({"prot": 1}, "prot: there is no such setting; there are: port, ratio, "),
        ):
            with self.subTest(message), self.assertRaises(SettingError) as raised:
                read(**given)
            self.assertTrue(str(raised.exception).startswith(message), raised.exception)


class DurationTest(unittest.TestCase):
    def test_durations_are_read(self) -> None:
        for text, expected in {
            "10s": 10 * SECOND,
            "1h 30m": 90 * MINUTE,
            "500ms": SECOND // 2,
            "1m30s": 90 * SECOND,
            "0": 0,
            "1.5h": 90 * MINUTE,
            "0.5 us": 500,
            "2days 3 hours": 2 * DAY + 3 * HOUR,
            "1 0 s": 10 * SECOND,
            " 7ns ": 7,
            "1M": 2_630_016 * SECOND,
            "3µs": 3_000,
        }.items():
            with self.subTest(text):
                self.assertEqual(parse_duration(text), expected)

    def test_other_texts_are_refused(self) -> None:
        for text in ("", " ", "10", "s", "1.s", ".5s", "10S", "-1s", "1s,", "0.5ns", "1s 2", "0.0001h", "1e3s"):
            with self.subTest(text), self.assertRaises(ValueError):
                parse_duration(text)

    def test_durations_are_written(self) -> None:
        for nanoseconds, expected in {
            0: "0s",
            90 * SECOND: "1m 30s",
            1_002_003_004: "1s 2ms 3us 4ns",
            2 * DAY: "2days",
            DAY: "1day",
        }.items():
            self.assertEqual(format_duration(nanoseconds), expected)
            self.assertEqual(parse_duration(expected), nanoseconds)


class NetworksTest(unittest.TestCase):
    def test_an_address_is_in_one_of_them(self) -> None:
        networks = Networks(["10.0.0.0/8", "192.0.2.1", "2001:db8::/33", "::ffff:172.16.0.0/108"])
        for text, expected in {
            "10.255.255.255": True,
            "11.0.0.0": False,
            "192.0.2.1": True,
            "192.0.2.2": False,
            "2001:db8:7fff::1": True,
            "2001:db8:8000::1": False,
            "172.31.0.1": True,
            "172.32.0.1": False,
            # The number of 10.0.0.1, as an IPv6 address.
            "::a00:1": False,
        }.items():
            for _ in range(2):
                self.assertEqual(ip_address(text) in networks, expected, text)
        self.assertEqual(len(networks), 4)

    def test_all_addresses_of_a_version(self) -> None:
        everything = Networks(["0.0.0.0/0"])
        self.assertIn(ip_address("192.0.2.1"), everything)
        self.assertNotIn(ip_address("::1"), everything)
        self.assertNotIn(ip_address("192.0.2.1"), Networks(["::/0"]))

    def test_what_is_no_network_is_refused(self) -> None:
        for text in ("", "10.0.0.0/", "10.0.0.0/-1", "host/8", "10.0.0/8", "1.2.3.4/1.2.3.4", "::/129"):
            with self.subTest(text), self.assertRaises(ValueError):
                parse_network(text)


if __name__ == "__main__":
    unittest.main()
