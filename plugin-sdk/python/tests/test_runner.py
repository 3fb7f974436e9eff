"""The runner: answers, changes, labels, output, state, and errors."""

import unittest
from typing import Any, ClassVar

from retrans import DROP, KEEP, SECOND, AlertState, Endpoint, Event, Output, Plugin, Severity, log, run, setting
from retrans._errors import one_line
from retrans._fields import RECORD_SIZE
from retrans._output import Alert
from retrans._plugin import Exported
from retrans._runner import Keep, Runner
from retrans.testing import Failure, Scenario, record


class Calls:
    """A host that writes down what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.columns: list[tuple[str, list[int], list[int], str]] = []
        self.pending = 0

    def lost(self) -> int:
        self.calls.append(("lost",))
        return self.pending

    def labels(self) -> list[tuple[str, list[int], list[int], str]]:
        self.calls.append(("labels",))
        return self.columns

    def run(self) -> list[tuple[str, str]]:
        return []

    def change(self, *of: Any) -> None:
        self.calls.append(("change", *of))

    def annotate(self, *of: Any) -> None:
        self.calls.append(("annotate", *of))

    def emit(self, alert: Alert) -> None:
        self.calls.append(("emit", alert))

    def write(self, lines: bytes) -> None:
        self.calls.append(("write", lines))

    def count(self, *of: Any) -> None:
        self.calls.append(("count", *of))

    def gauge(self, *of: Any) -> None:
        self.calls.append(("gauge", *of))

    def observe(self, *of: Any) -> None:
        self.calls.append(("observe", *of))

    def log(self, *of: Any) -> None:
        self.calls.append(("log", *of))


class KeepSome(Plugin):
    """Keeps events of these ports."""

    ports: list[str] = setting([])

    def on_event(self, event: Event, out: Output) -> bool:
        return str(event.peer.port) in self.ports


def process(runner: Runner, events: list[Event]) -> Keep:
    return runner.process(len(events), RECORD_SIZE, b"".join(event._bytes() for event in events))


def ports(*numbers: int) -> list[Event]:
    return [record(peer=f"192.0.2.1:{number}") for number in numbers]


class AnswersTest(unittest.TestCase):
    def test_all_none_and_bits(self) -> None:
        runner = Runner(KeepSome, '{"ports":["1"]}', Calls())
        self.assertIs(process(runner, ports(1, 1, 1)), True)
        self.assertIs(process(runner, ports(2, 2)), False)
        self.assertEqual(process(runner, ports(1, 2, 1)), bytes([0b101]))
        self.assertEqual(process(runner, ports(*[1] * 8, 2)), bytes([0xFF, 0]))
        self.assertEqual(process(runner, ports(2, *[1] * 15)), bytes([0xFE, 0xFF]))
        self.assertEqual(process(runner, ports(2, *[1] * 9)), bytes([0xFE, 0b11]))

    def test_a_plugin_that_does_nothing_calls_nothing(self) -> None:
        host = Calls()
        process(Runner(KeepSome, "{}", host), ports(1))
        self.assertEqual(host.calls, [])

    def test_the_length_must_fit(self) -> None:
        with self.assertRaisesRegex(ValueError, "383 bytes as 1 records of 384"):
            Runner(KeepSome, "{}", Calls()).process(1, RECORD_SIZE, bytes(383))

    def test_an_answer_must_be_keep_or_drop(self) -> None:
        class Forgetful(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                return None  # type: ignore[return-value]

        with self.assertRaisesRegex(Failure, "on_event returned None: expected KEEP or DROP"):
            Scenario(Forgetful).event().run()


class ChangesTest(unittest.TestCase):
    def test_kept_and_changed_records_are_passed_once_a_call(self) -> None:
        class Marks(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                if event.peer.port != 1:
                    event.mark = event.peer.port
                return event.peer.port != 3

        host = Calls()
        answer = process(Runner(Marks, "{}", host), ports(1, 2, 3, 4, 1))
        self.assertEqual(answer, bytes([0b11011]))
        [(name, numbers, records)] = host.calls
        self.assertEqual((name, numbers, len(records)), ("change", [1, 3], 2 * RECORD_SIZE))
        expected = [record(peer=f"192.0.2.1:{port}", mark=port)._bytes() for port in (2, 4)]
        self.assertEqual(records, b"".join(expected))

    def test_a_change_is_seen_by_later_reads_of_the_event_alone(self) -> None:
        class Moves(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                out.line(event.peer)
                event.peer = Endpoint(event.peer.ip, event.peer.port + 1)
                event.set_label("number", event.peer.port)
                out.alert("moved", labels={"peer": event.peer})
                return KEEP

        outcome = Scenario(Moves).events(ports(1, 1, 7)).run()
        self.assertEqual(outcome.lines, ["192.0.2.1:1", "192.0.2.1:1", "192.0.2.1:7"])
        self.assertEqual([event.peer.port for event in outcome.kept], [2, 2, 8])
        self.assertEqual(outcome.labels("number"), ["2", "2", "8"])
        self.assertEqual([alert.event for alert in outcome.alerts], [0, 1, 2])


class LabelsTest(unittest.TestCase):
    def test_columns_are_in_bytes_and_one_for_a_key(self) -> None:
        class Labels(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                event.set_label("é", "dropped" if event.peer.port == 3 else "ü" * event.peer.port)
                event.set_label("a", event.peer.port)
                event.set_label("a", event.label("a"))
                return event.peer.port != 3

        host = Calls()
        process(Runner(Labels, "{}", host), ports(1, 3, 2))
        self.assertEqual(
            host.calls, [("annotate", "a", [0, 2], [1, 2], "12"), ("annotate", "é", [0, 2], [2, 6], "üüü")]
        )

    def test_earlier_labels_are_fetched_once_and_only_when_asked_for(self) -> None:
        class Reads(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                out.line(event.labels())
                event.set_label("b", "own")
                out.line(f"{event.label('a')} {event.label('b')} {event.label('c')}")
                return KEEP

        host = Calls()
        host.columns = [("b", [1], [5], "below"), ("a", [0, 1], [2, 4], "üx!")]
        runner = Runner(Reads, "{}", host)
        process(runner, ports(1, 1, 1))
        self.assertEqual([call[0] for call in host.calls], ["labels", "annotate", "write"])
        lines = ["{'a': 'ü'}", "ü own None", "{'a': 'x!', 'b': 'below'}", "x! own None", "{}", "None own None"]
        self.assertEqual(host.calls[-1][1].decode().split("\n")[:-1], lines)
        process(runner, ports(1))
        self.assertEqual([call[0] for call in host.calls[3:]], ["labels", "annotate", "write"])


class OutputTest(unittest.TestCase):
    def test_effects_are_passed_once_a_call(self) -> None:
        class Talks(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                out.line("a")
                out.line("b\n")
                out.json({"é": 2**64, "kind": str(event.kind)})
                out.count("events")
                out.count("bytes", 2**64 - 2)
                out.count("none", 0)
                out.gauge("level", event.peer.port)
                out.gauge("nothing", float("nan"))
                out.observe("time", 0.5)
                out.observe("time", float("inf"))
                out.alert("x", severity=Severity.CRITICAL, labels={"n": 1})
                out.alert("y", "ends", resolved=True, about_event=False)
                return KEEP

        host = Calls()
        runner = Runner(Talks, "{}", host)
        process(runner, ports(7, 8))
        lines = 'a\nb\n{"é":18446744073709551616,"kind":"unknown"}\n'
        x = Alert("x", Severity.CRITICAL, AlertState.FIRING, "", (("n", "1"),), 0)
        y = Alert("y", Severity.WARNING, AlertState.RESOLVED, "ends", (), None)
        self.assertEqual([call[1] for call in host.calls[:4]], [x, y, x._replace(event=1), y])
        self.assertEqual(
            host.calls[4:],
            [
                ("write", (lines * 2).encode()),
                ("count", "events", 2),
                ("count", "bytes", 2**64 - 1),
                ("gauge", "level", 8.0),
                ("observe", "time", [0.5, 0.5]),
            ],
        )

    def test_a_call_that_fails_leaves_nothing_for_the_next(self) -> None:
        class FailsOnce(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                out.line(event.peer.port)
                event.set_label("port", event.peer.port)
                event.mark = 1
                if event.peer.port == 2:
                    raise ValueError("two")
                return KEEP

        host = Calls()
        runner = Runner(FailsOnce, "{}", host)
        with self.assertRaises(ValueError):
            process(runner, ports(1, 2))
        self.assertEqual(host.calls, [])
        process(runner, ports(3))
        self.assertEqual([call[:2] for call in host.calls[:2]], [("change", [0]), ("annotate", "port")])
        self.assertEqual(host.calls[2], ("write", b"3\n"))

    def test_mistakes_are_refused(self) -> None:
        out = Output(Calls())
        with self.assertRaisesRegex(ValueError, "counter x: expected a whole number of at least 0, not -1"):
            out.count("x", -1)
        with self.assertRaisesRegex(ValueError, "an alert needs a name"):
            out.alert("")
        for wrong in (5, "\ud800"):
            with self.subTest(wrong), self.assertRaises((TypeError, UnicodeEncodeError)):
                out.alert(wrong)  # type: ignore[arg-type]
            with self.subTest(wrong), self.assertRaises((TypeError, UnicodeEncodeError)):
                out.count(wrong)  # type: ignore[arg-type]
            with self.subTest(wrong), self.assertRaises((TypeError, UnicodeEncodeError)):
                record({wrong: "x"})  # type: ignore[dict-item]
        with self.assertRaises(UnicodeEncodeError):
            record({"x": "\ud800"})
        self.assertEqual(one_line(ValueError("\ud800")), "ValueError: \\ud800")


class TimesTest(unittest.TestCase):
    class Times(Plugin):
        def on_event(self, event: Event, out: Output) -> bool:
            out.line(f"event {event.time}")
            return DROP

        def on_lost(self, events: int, out: Output) -> None:
            out.line(f"lost {events}")
            log.warn("lost")

        def on_tick(self, now: int, out: Output) -> None:
            out.line(f"tick {now} {run().host} {run().is_live}")
            out.alert("tick")

        def on_finish(self, now: int, out: Output) -> None:
            out.line(f"finish {now}")

    def test_losses_ticks_and_the_end_are_told_in_order(self) -> None:
        scenario = Scenario(self.Times).host(host="web-1", source="live")
        outcome = scenario.event(time=5).lost(2).lost(1).event(time=6).tick(SECOND).lost(4).run()
        self.assertEqual(
            outcome.lines, ["event 5", "lost 3", "event 6", "tick 1000000000 web-1 True", "lost 4", "finish 1000000000"]
        )
        self.assertEqual(outcome.logs, [("warn", "lost")] * 2)
        self.assertIsNone(outcome.alerts[0].event)
        self.assertEqual(outcome.kept, [])


class Counts(Plugin):
    STATE_VERSION: ClassVar[int] = 2

    def __post_init__(self) -> None:
        self.seen = 0

    def on_event(self, event: Event, out: Output) -> bool:
        self.seen += 1
        out.line(self.seen)
        return KEEP

    def save_state(self) -> Any:
        return {"seen": self.seen}

    def restore_state(self, state: Any) -> None:
        self.seen = state["seen"]


class StateTest(unittest.TestCase):
    def test_state_survives_a_reload(self) -> None:
        self.assertEqual(Scenario(Counts).event().reload().event().run().lines, ["1", "2"])
        self.assertEqual(Runner(Counts, "{}", Calls()).save(), (2, b'{"seen":0}'))

    def test_bytes_stay_bytes(self) -> None:
        class Raw(Counts):
            def save_state(self) -> Any:
                return bytes([self.seen])

            def restore_state(self, state: Any) -> None:
                [self.seen] = state

        self.assertEqual(Scenario(Raw).event().event().run().lines, ["1", "2"])

    def test_another_version_is_refused_unless_it_is_migrated(self) -> None:
        class Migrates(Counts):
            def migrate_state(self, version: int, state: Any) -> None:
                self.seen = state + version

        with self.assertRaisesRegex(ValueError, "a state of version 1; this plugin reads version 2"):
            Runner(Counts, "{}", Calls()).restore(1, b"5")
        runner = Runner(Migrates, "{}", Calls())
        runner.restore(1, b"5")
        self.assertEqual(runner.save(), (2, b'{"seen":6}'))

    def test_incomplete_state_is_found(self) -> None:
        class Forgets(Counts):
            def restore_state(self, state: Any) -> None:
                pass

        with self.assertRaisesRegex(AssertionError, "the state is incomplete"):
            Scenario(Forgets).event().tick(1).event().run()

    def test_answers_that_depend_on_calls_are_found(self) -> None:
        class Batches(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                out.line(event._number)
                return KEEP

        with self.assertRaisesRegex(AssertionError, "calls of at most 256 and of 1 events differ in lines"):
            Scenario(Batches).event().event().run()

    def test_an_event_that_is_kept_is_found(self) -> None:
        class Hoards(Plugin):
            def __post_init__(self) -> None:
                self.last: Event | None = None

            def on_event(self, event: Event, out: Output) -> bool:
                last, self.last = self.last, event
                return last is None or last.kind == event.kind

        with self.assertRaisesRegex(Failure, "kind of an event whose call has ended"):
            Scenario(Hoards).events([record()] * 300).run()

    def test_worlds(self) -> None:
        class Ends(KeepSome):
            def on_finish(self, now: int, out: Output) -> None:
                pass

        class Half(KeepSome):
            def save_state(self) -> Any:
                return 1

        worlds = [Exported(cls, None, None, None).world() for cls in (KeepSome, Ends, Counts)]
        self.assertEqual(worlds, ["plugin", "ticking-plugin", "stateful-plugin"])
        with self.assertRaisesRegex(TypeError, "Half: save_state and restore_state need each other"):
            Exported(Half, None, None, None).world()
        self.assertEqual(Exported(KeepSome, None, None, None).summary, "Keeps events of these ports.")


class ErrorsTest(unittest.TestCase):
    def test_an_exception_is_one_line_with_its_place(self) -> None:
        class Fails(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                return bool(int("not a\nnumber"))

        pattern = (
            r"^ValueError: invalid literal for int\(\) with base 10: 'not a\\nnumber' "
            r"\(test_runner.py:\d+ in on_event\)$"
        )
        with self.assertRaisesRegex(Failure, pattern):
            Scenario(Fails).event().run()

    def test_the_place_is_in_the_plugin_where_the_sdk_has_raised_it(self) -> None:
        class Fails(Plugin):
            def on_event(self, event: Event, out: Output) -> bool:
                event.mark = -1
                return KEEP

        with self.assertRaisesRegex(Failure, r"not -1 \(test_runner.py:\d+ in on_event\)$"):
            Scenario(Fails).event().run()

    def test_a_late_import_says_what_to_do(self) -> None:
        self.assertEqual(
            one_line(ModuleNotFoundError("No module named 'x'")),
            "ModuleNotFoundError: No module named 'x'; import it at the top of the module",
        )


if __name__ == "__main__":
    unittest.main()
