"""Fields, setters, and records of any size."""

import unittest
from ipaddress import ip_address, ip_network
from struct import pack_into
from typing import Any

from retrans import MILLISECOND, SECOND, CaState, Endpoint, Event, Kind, SendError, TcpFlags, TcpState
from retrans._event import event_class
from retrans._fields import FIELDS, RECORD_SIZE
from retrans._labels import FixedLabels
from retrans.testing import changed, record


def at(size: int, data: bytes) -> Event:
    return event_class(size)(data, size, FixedLabels({}))


class FieldsTest(unittest.TestCase):
    def test_fields_are_where_the_contract_says(self) -> None:
        data = bytearray(RECORD_SIZE)
        data[64:80] = bytes(10) + b"\xff\xff" + bytes([192, 0, 2, 1])
        pack_into("<H", data, 82, 443)
        data[86] = 4
        pack_into("<Q", data, 24, 2**63 + 1)
        pack_into("<I", data, 136, 250_248)
        pack_into("<i", data, 88, -113)
        pack_into("<H", data, 108, 0x18)
        data[304:320] = b"nginx".ljust(16, b"\0")
        # Presence bits 81, 64, 69 and 112.
        for bit in (81, 64, 69, 112):
            data[bit // 8] |= 1 << bit % 8
        event = at(RECORD_SIZE, bytes(data))
        self.assertEqual(event.peer, Endpoint(ip_address("192.0.2.1"), 443))
        self.assertEqual((event.kind, str(event.kind)), (Kind.TIMEOUT, "timeout"))
        self.assertEqual(event.time, 2**63 + 1)
        self.assertEqual(event.rto, 250_248_000)
        self.assertEqual((event.error, str(event.error)), (SendError.EHOSTUNREACH, "EHOSTUNREACH"))
        self.assertEqual((event.tcp_flags, str(event.tcp_flags)), (TcpFlags.PSH | TcpFlags.ACK, "PSH|ACK"))
        self.assertEqual(event.owner_comm, "nginx")
        self.assertIsNone(event.srtt)

    def test_every_optional_field_is_absent_without_its_bit(self) -> None:
        data = bytearray(b"\xff" * RECORD_SIZE)
        data[8:16] = data[376:384] = bytes(8)
        event = at(RECORD_SIZE, bytes(data))
        for name, _, _, bit in FIELDS:
            with self.subTest(name):
                self.assertEqual(getattr(event, name) is None, bit is not None)

    def test_a_field_is_set_and_made_absent_and_no_other_byte_changes(self) -> None:
        empty = b"\xff" * 8 + bytes(8) + b"\xff" * (RECORD_SIZE - 16)
        for name, offset, size, bit in FIELDS:
            if bit is None:
                continue
            with self.subTest(name):
                event = at(RECORD_SIZE, b"head" + empty)
                event._at = 4
                self.assertIsNone(getattr(event, name))
                is_flag = name in ("sent", "fast_open", "timer_expired")
                value: Any = "cubic" if size == 16 else True if is_flag else 3 if size < 4 else 1_000
                setattr(event, name, value)
                self.assertEqual(getattr(event, name), value)
                expected = bytearray(empty)
                expected[bit // 8] |= 1 << bit % 8
                expected[offset : offset + size] = event._bytes()[offset : offset + size]
                self.assertEqual(event._bytes(), expected)
                setattr(event, name, None)
                expected = bytearray(empty)
                expected[offset : offset + size] = bytes(size)
                self.assertEqual(event._bytes(), expected)

    def test_zero_is_known(self) -> None:
        self.assertEqual(record(retransmits=0, uid=0, rto=0).retransmits, 0)
        self.assertIsNone(record().uid)

    def test_fields_of_the_host_cannot_be_set(self) -> None:
        for name in ("time", "wall_time", "sequence", "cpu", "cpu_sequence", "size"):
            with self.assertRaises(AttributeError):
                setattr(record(), name, 1)

    def test_a_misspelt_field_cannot_be_set(self) -> None:
        with self.assertRaises(AttributeError):
            record().rtto = 1  # type: ignore[attr-defined]
        with self.assertRaisesRegex(TypeError, "there is no field rtto"):
            record(rtto=1)

    def test_values_that_do_not_fit_are_refused(self) -> None:
        values: dict[str, Any] = {"cwnd": 2**32, "sacked": -1, "mark": "1", "sent": 1, "owner_comm": "x" * 17}
        for name, value in values.items():
            with self.subTest(name), self.assertRaises(ValueError):
                record(**{name: value})
        with self.assertRaises(ValueError):
            record(peer_address=1)

    def test_a_long_duration_is_the_longest_that_fits(self) -> None:
        self.assertEqual(record(rto=10**7 * SECOND).rto, (2**32 - 1) * 1_000)
        self.assertEqual(record(rto=1_500).rto, 1_000)


class SizesTest(unittest.TestCase):
    def test_a_field_beyond_the_record_is_absent(self) -> None:
        full = b"\xff" * 400
        for size in (88, 89, 92, 140, 288, 300, 376, 380, 384, 400):
            event = at(size, full[:size])
            for name, offset, length, bit in FIELDS:
                if bit is None:
                    continue
                with self.subTest(name, size=size):
                    is_there = offset + length <= size
                    self.assertEqual(getattr(event, name) is not None, is_there)
        self.assertEqual(at(88, full[:88]).peer.port, 0xFFFF)

    def test_setting_a_field_beyond_the_record_does_nothing(self) -> None:
        event = at(140, bytes(140))
        event.cwnd = 10
        event.rto = SECOND
        self.assertIsNone(event.cwnd)
        self.assertEqual(event.rto, SECOND)
        self.assertEqual(len(event._bytes()), 140)
        self.assertEqual(event._bytes()[8:16], bytes([0, 0, 2, 0, 0, 0, 0, 0]))

    def test_a_longer_record_keeps_its_bytes(self) -> None:
        event = at(400, bytes(384) + b"newer than this.")
        event.mark = 1
        self.assertTrue(event._bytes().endswith(b"newer than this."))

    def test_a_record_has_a_least_size(self) -> None:
        with self.assertRaisesRegex(ValueError, "87 bytes"):
            event_class(87)


class AddressesTest(unittest.TestCase):
    def test_setting_the_peer_sets_the_version_and_the_other_side(self) -> None:
        event = record(peer="192.0.2.1:443", local="192.0.2.2:9")
        event.peer = Endpoint(ip_address("2001:db8::1"), 80)
        self.assertEqual((event.ip_version, event.is_ipv4), (6, False))
        self.assertEqual(str(event.local), "[::]:9")
        event.local = Endpoint.parse("192.0.2.2:9")
        self.assertEqual((event.ip_version, str(event.peer)), (4, "0.0.0.0:80"))

    def test_an_address_is_the_same_key_as_one_from_elsewhere(self) -> None:
        for text in ("192.0.2.1", "2001:db8::1"):
            ip = record(peer=f"[{text}]:1").peer.ip
            self.assertEqual({ip: 1}[ip_address(text)], 1)
            self.assertEqual({ip_address(text): 1}[ip], 1)
            self.assertEqual((str(ip), repr(ip)), (text, repr(ip_address(text))))
        self.assertIn(record(peer="192.0.2.1:1").peer.ip, ip_network("192.0.2.0/24"))

    def test_endpoints_are_read_from_text(self) -> None:
        self.assertEqual(str(Endpoint.parse("[::ffff:192.0.2.1]:443")), "192.0.2.1:443")
        for text in ("192.0.2.1", "2001:db8::1:443", "192.0.2.1:65536", "host:1", "192.0.2.1:-1", ":1"):
            with self.subTest(text), self.assertRaisesRegex(ValueError, "expected address and port"):
                Endpoint.parse(text)


class NumbersTest(unittest.TestCase):
    def test_a_number_without_a_name(self) -> None:
        event = record(kind=200, ca_state=99, error=-5)
        self.assertEqual((int(event.kind), str(event.kind), event.kind.text), (200, "other(200)", "other(200)"))
        self.assertEqual(f"{event.ca_state} {event.error}", "other(99) error(-5)")
        self.assertIs(event.kind, record(kind=200).kind)
        self.assertEqual(Kind.named("other(200)"), 200)

    def test_names_are_those_of_the_json_form(self) -> None:
        self.assertEqual([str(state) for state in (TcpState.FIN_WAIT1, CaState.CWR)], ["FIN_WAIT1", "cwr"])
        self.assertEqual(TcpState.named("FIN_WAIT1"), 4)
        self.assertEqual(SendError.named("error(-5)"), -5)
        with self.assertRaisesRegex(ValueError, "'fastt' is no Kind: expected one of unknown, syn"):
            Kind.named("fastt")

    def test_flags_without_a_name_are_left_out_of_the_text(self) -> None:
        flags = record(tcp_flags=0x8012).tcp_flags
        assert flags is not None
        self.assertEqual((str(flags), int(flags)), ("SYN|ACK", 0x8012))
        self.assertTrue(TcpFlags.SYN in flags and TcpFlags.FIN not in flags)


class TextTest(unittest.TestCase):
    def read(self, raw: bytes) -> str | None:
        event = record(owner_comm="x")
        data = bytearray(event._bytes())
        data[304:320] = raw.ljust(16, b"\0")
        event._replace(data)
        return event.owner_comm

    def test_text_ends_at_the_first_nul(self) -> None:
        self.assertEqual(self.read(b"nginx\0rest"), "nginx")
        self.assertEqual(self.read(b"0123456789abcdef"), "0123456789abcdef")
        self.assertEqual(self.read(b""), "")

    def test_other_bytes_are_replaced_and_a_cut_character_is_left_out(self) -> None:
        self.assertEqual(self.read(b"a\xffb\xc3\x28"), "a?b?(")
        self.assertEqual(self.read("0123456789abcdeé".encode()[:16]), "0123456789abcde")


class CopyTest(unittest.TestCase):
    def test_a_copy_stays_as_it_is(self) -> None:
        event = record({"a": 1}, rto=MILLISECOND)
        copy = event.copy()
        event.rto = None
        event.set_label("a", 2)
        self.assertEqual((copy.rto, copy.labels()), (MILLISECOND, {"a": "1"}))
        self.assertEqual(changed(copy, rto=SECOND).rto, SECOND)


if __name__ == "__main__":
    unittest.main()
