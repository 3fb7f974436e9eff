import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration, parseDuration } from "../retrans/index.js";

test("durations are read as the host reads them", () => {
  for (const [text, expected] of [
    ["0", 0n],
    ["10s", 10_000_000_000n],
    ["1h 30m", 5_400_000_000_000n],
    ["1m30s", 90_000_000_000n],
    ["500ms", 500_000_000n],
    ["1.5s", 1_500_000_000n],
    ["1.50h", 5_400_000_000_000n],
    ["7us 1ns", 7_001n],
    ["3µs", 3_000n],
    [" 2 weeks ", 1_209_600_000_000_000n],
    ["1month", 2_630_016_000_000_000n],
    ["1y", 31_557_600_000_000_000n],
  ]) {
    assert.equal(parseDuration(text), expected, text);
  }
});

test("what is no duration is refused", () => {
  for (const text of ["", " ", "10", "s", "1x", "1,5s", "-1s", "1s 2", "0.5ns", "1.ns", "0.0001h", "1e3s", "600y"]) {
    assert.throws(() => parseDuration(text), /expected a duration/, text);
  }
});

test("durations are written as the host writes them", () => {
  assert.equal(formatDuration(0n), "0s");
  assert.equal(formatDuration(90_000_000_000n), "1m 30s");
  assert.equal(formatDuration(31_557_600_000_000_000n * 2n + 1_002_003n), "2years 1ms 2us 3ns");
});
