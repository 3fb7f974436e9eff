import assert from "node:assert/strict";
import { test } from "node:test";
import plugin from "./plugin.js";
import { record, run } from "./retrans/testing.js";

const events = ["10.2.0.1:443", "192.0.2.1:443", "[2001:db8::1]:443"].map((peer) => record({ peer }));

function labels(settings) {
  return run(plugin, events, { settings }).kept.map((event) => event.labels.network);
}

test("peers in the networks get the label", () => {
  assert.deepEqual(labels({ networks: ["10.0.0.0/8", "2001:db8::/32"] }), ["internal", undefined, "internal"]);
});

test("one network needs no list, and the name is a setting", () => {
  assert.deepEqual(labels({ networks: "192.0.2.0/24", name: "test" }), [undefined, "test", undefined]);
});

test("without networks there are no labels", () => {
  assert.deepEqual(labels({}), [undefined, undefined, undefined]);
});

test("a wrong network is named", () => {
  assert.throws(() => labels({ networks: "10.0.0.1/8" }), /networks: .*expected 10\.0\.0\.0\/8/);
});
