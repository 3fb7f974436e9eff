import assert from "node:assert/strict";
import { test } from "node:test";
import plugin from "./plugin.js";
import { record, reload, run, tick } from "./retrans/testing.js";

const event = (peer, rto, time) => record({ peer: `${peer}:443`, rto, time });

test("an alert rises once, and ends", () => {
  const steps = [
    event("192.0.2.1", "1s", "100s"),
    event("192.0.2.1", "3s", "101s"),
    event("192.0.2.1", "4s", "102s"),
    tick("161s"),
    tick("162s"),
  ];
  const { kept, alerts } = run(plugin, steps);
  assert.equal(kept.length, 3);
  const about = { name: "slow-peer", severity: "warning", labels: { peer: "192.0.2.1" } };
  assert.deepEqual(alerts, [
    { ...about, state: "firing", summary: "retransmission timeout of 3000 ms", event: 1 },
    { ...about, state: "resolved", summary: "its timeouts are short again", event: undefined },
  ]);
});

test("alerts end in the order of addresses, also after a reload", () => {
  const peers = ["192.0.2.10", "192.0.2.9", "[2001:db8::1]"];
  const steps = [peers.map((peer) => event(peer, "2s", "100s")), reload(), tick("160s")];
  const { alerts } = run(plugin, steps);
  const ended = alerts.filter(({ state }) => state === "resolved");
  assert.deepEqual(
    ended.map(({ labels }) => labels.peer),
    ["192.0.2.9", "192.0.2.10", "2001:db8::1"],
  );
});

test("an alert of an earlier boot ends", () => {
  const { alerts } = run(plugin, [event("192.0.2.1", "3s", "5000s"), tick("1s"), tick("61s")]);
  assert.deepEqual(
    alerts.map(({ state }) => state),
    ["firing", "resolved"],
  );
});

test("an unknown timeout is not long", () => {
  assert.deepEqual(run(plugin, [record({ rto: undefined })]).alerts, []);
});
