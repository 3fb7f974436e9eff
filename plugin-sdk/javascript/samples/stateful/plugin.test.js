import assert from "node:assert/strict";
import { test } from "node:test";
import plugin from "./plugin.js";
import { finish, lost, record, reload, run, tick } from "./retrans/testing.js";

const line = (now, events, lost, kinds) =>
  `{"type":"kind_summary","boot_time_ns":${now},"events":${events},"lost":${lost},"kinds":${kinds}}`;

test("a summary has what the interval had", () => {
  const steps = [
    tick("100s"),
    [record({ kind: "timeout" }), record({ kind: "fast" }), record({ kind: "fast" })],
    lost(7),
    tick("109s"),
    tick("110s"),
    record({ kind: "syn" }),
    finish("111s"),
  ];
  const { kept, lines, counters } = run(plugin, steps);
  assert.equal(kept.length, 4);
  assert.deepEqual(lines, [
    line("110000000000", 3, 7, '{"fast":2,"timeout":1}'),
    line("111000000000", 1, 0, '{"syn":1}'),
  ]);
  assert.deepEqual(counters, { summaries: 2n });
});

test("there is no summary of nothing, and a late tick skips intervals", () => {
  const steps = [tick("100s"), tick("135s"), record(), tick("139s"), tick("140s")];
  assert.deepEqual(run(plugin, steps).lines, [line("140000000000", 1, 0, '{"fast":1}')]);
});

test("lines go on in the next boot", () => {
  const steps = [tick("5000s"), record(), tick("1s"), tick("11s")];
  assert.deepEqual(run(plugin, steps).lines, [line("11000000000", 1, 0, '{"fast":1}')]);
});

test("counts and times survive a reload", () => {
  const steps = [tick("100s"), record(), reload(), record(), tick("110s")];
  assert.deepEqual(run(plugin, steps).lines, [line("110000000000", 2, 0, '{"fast":2}')]);
});

test("times have all digits of 64 bits", () => {
  const now = 2n ** 64n - 1n;
  assert.deepEqual(run(plugin, [record(), finish(now)]).lines, [line(now, 1, 0, '{"fast":1}')]);
});
