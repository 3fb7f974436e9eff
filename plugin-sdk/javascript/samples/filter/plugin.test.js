import assert from "node:assert/strict";
import { test } from "node:test";
import plugin from "./plugin.js";
import { record, run } from "./retrans/testing.js";

const events = [
  record({ peer: "192.0.2.1:443" }),
  record({ peer: "192.0.2.1:80" }),
  record({ peer: "[2001:db8::1]:443" }),
];

test("events of the port are kept", () => {
  const { kept } = run(plugin, events);
  assert.deepEqual(
    kept.map(({ number }) => number),
    [0, 2],
  );
});

test("the port is a setting", () => {
  const { kept } = run(plugin, events, { settings: { port: 80 } });
  assert.deepEqual(
    kept.map(({ peer }) => String(peer.ip)),
    ["192.0.2.1"],
  );
});
