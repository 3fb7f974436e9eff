import assert from "node:assert/strict";
import { test } from "node:test";
import plugin from "./plugin.ts";
import { finish, record, run } from "./retrans/testing.js";

test("a plugin in TypeScript runs as one in JavaScript", () => {
  const events = [record({ rto: "3s", tcpFlags: "SYN|ACK", mark: 5 }), record({ kind: "syn" })];
  const options = { settings: { mark: 7 }, runInfo: { host: "a" } };
  const { kept, lines, logs } = run(plugin, [...events, finish("2s")], options);
  assert.deepEqual(
    kept.map(({ number, mark }) => [number, mark]),
    [[0, 7]],
  );
  assert.deepEqual(lines, ["peer 10.2.0.1:443 3s true a"]);
  assert.deepEqual(logs, [{ level: "info", message: "fast,syn" }]);
});
