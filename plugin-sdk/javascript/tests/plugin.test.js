import assert from "node:assert/strict";
import { test } from "node:test";
import { definePlugin, log, run as runInfo, SECOND, setting } from "../retrans/index.js";
import { guest } from "../retrans/guest.js";
import { describePlugin } from "../retrans/plugin.js";
import { finish, lost, record, reload, run, tick } from "../retrans/testing.js";

const plugin = (handlers, more = {}) => definePlugin({ name: "test", create: () => handlers, ...more });

test("labels of earlier plugins and own ones are seen, also in text with long characters", () => {
  const events = ["ä€", undefined, "😀b", "c"].map((owner) => record({ labels: owner && { owner, z: "z" } }));
  const seen = [];
  const onEvent = (event) => {
    const before = event.label("owner");
    event.setLabel("a", `${before ?? "none"}😀\ud800`);
    event.setLabel("a", `${event.label("a")}!`);
    seen.push([before, [...event.labels()]]);
    return event.label("owner") !== "c";
  };
  const { kept } = run(plugin({ onEvent }), events);
  assert.deepEqual(seen.slice(0, 4), [
    [
      "ä€",
      [
        ["a", "ä€😀\ud800!"],
        ["owner", "ä€"],
        ["z", "z"],
      ],
    ],
    [undefined, [["a", "none😀\ud800!"]]],
    [
      "😀b",
      [
        ["a", "😀b😀\ud800!"],
        ["owner", "😀b"],
        ["z", "z"],
      ],
    ],
    [
      "c",
      [
        ["a", "c😀\ud800!"],
        ["owner", "c"],
        ["z", "z"],
      ],
    ],
  ]);
  // Half a surrogate pair has no bytes.
  assert.deepEqual(
    kept.map(({ labels }) => labels.a),
    ["ä€😀\ufffd!", "none😀\ufffd!", "😀b😀\ufffd!"],
  );
  assert.throws(() => run(plugin({ onEvent: (event) => event.setLabel("", 1) }), events), /the key of a label/);
});

test("output is what the functions have passed", () => {
  const handlers = {
    onEvent(event, out) {
      out.line(`event ${event.peer}`);
      out.alert({ name: "a", labels: { port: event.peer.port } });
      out.alert({ name: "b", severity: "critical", state: "resolved", summary: 7n, event: false });
      out.count("events");
      out.observe("ms", 1.5);
      log.info("seen");
    },
    onTick(now, out) {
      out.json({ now, text: "ü", list: [2n ** 64n] });
      out.count("big", 2n ** 60n);
      out.gauge("level", Number.NaN);
      out.gauge("level", 3);
    },
  };
  const { alerts, lines, counters, gauges, observed, logs } = run(plugin(handlers), [record(), record(), tick("1s")]);
  assert.deepEqual(lines, [
    "event 10.2.0.1:443",
    "event 10.2.0.1:443",
    '{"now":1000000000,"text":"ü","list":[18446744073709551616]}',
  ]);
  assert.deepEqual(alerts.slice(2), [
    { name: "a", severity: "warning", state: "firing", summary: "", labels: { port: "443" }, event: 1 },
    { name: "b", severity: "critical", state: "resolved", summary: "7", labels: {}, event: undefined },
  ]);
  assert.deepEqual(counters, { events: 2n, big: 2n ** 60n });
  assert.deepEqual([gauges, observed, logs.length], [{ level: 3 }, { ms: [1.5, 1.5] }, 2]);
});

test("wrong output is refused by name", () => {
  const wrong = [
    [(out) => out.alert({}), /the name is missing/],
    [(out) => out.alert({ name: "a", severity: "bad" }), /alert a: severity: expected one of info, warning, critical/],
    [(out) => out.alert({ name: "a", state: "on" }), /alert a: state/],
    [(out) => out.count("a", 1.5), /count a: expected a whole number/],
    [(out) => out.count("a", -1), /count a: .*not negative/],
    [(out) => out.json(undefined), /json: /],
  ];
  for (const [use, error] of wrong) {
    assert.throws(() => run(plugin({ onTick: (_, out) => use(out) }), [tick(0n)]), error);
  }
});

test("the size of calls must make no difference", () => {
  let calls = 0;
  const onEvent = (event, out) => out.line(calls++);
  assert.throws(() => run(plugin({ onEvent }), [record(), record()]), /calls of 7 and of 1 events/);
});

test("losses, ticks and the end come in the order of the stream", () => {
  const create = () => {
    let seen = 0n;
    return {
      onEvent: (_, out) => out.line(`event after ${seen}`),
      onLost(events, out) {
        seen += events;
        out.line(`lost ${events}`);
      },
      onTick: (now, out) => out.line(`tick ${now / SECOND}`),
      onFinish: (now, out) => out.line(`end ${now / SECOND} ${runInfo().host} ${runInfo().isLive}`),
    };
  };
  const steps = [record(), lost(2n ** 60n), record(), lost(1), tick("2s"), finish("3s")];
  const { lines } = run(definePlugin({ name: "test", create }), steps, { runInfo: { host: "a", source: "live" } });
  const big = 2n ** 60n;
  assert.deepEqual(lines, ["event after 0", `lost ${big}`, `event after ${big}`, "lost 1", "tick 2", "end 3 a true"]);
});

test("state survives with its types", () => {
  const first = {
    n: 2n ** 64n,
    m: new Map([["a", new Set([1, "x"])]]),
    b: Uint8Array.of(1, 255),
    o: { u: undefined, e: null },
    // Keys that the SDK writes itself.
    p: { $map: 1, nginx: 2n, $set: { $bigint: "x" }, $object: [["a", { $bytes: 3 }]] },
  };
  const create = () => {
    let state = first;
    return {
      onTick: (_, out) => out.line(state === first ? "new" : "restored"),
      saveState: () => state,
      restoreState(saved, version) {
        assert.deepEqual(saved, { ...first, o: { e: null } });
        assert.equal(version, 3);
        state = saved;
      },
    };
  };
  const stateful = definePlugin({ name: "test", stateVersion: 3, create });
  assert.deepEqual(run(stateful, [reload(), tick("1s")]).lines, ["restored"]);
  // The second tick differs with a reload after the first one.
  assert.throws(() => run(stateful, [tick("1s"), tick("2s")]), /with a reload after each call/);
});

test("a declaration that is wrong is refused", () => {
  const wrong = [
    [{ create: () => ({}) }, /a name/],
    [{ name: "a", create: () => ({}), setings: {} }, /unknown setings/],
    [{ name: "a", create: () => ({}), stateVersion: -1 }, /stateVersion/],
    [
      { name: "a", create: () => ({}), settings: { port: setting.integer(0, "", { min: 1 }) } },
      /port: expected a whole/,
    ],
  ];
  for (const [declaration, error] of wrong) {
    assert.throws(() => definePlugin(declaration), error);
  }
  assert.throws(() => run(plugin({ onEvents() {} }), []), /create: unknown onEvents; expected onEvent, /);
  assert.throws(() => run(plugin({ saveState() {} }), []), /a plugin with state has stateVersion/);
  assert.throws(() => run(plugin({}, { stateVersion: 1 }), []), /saveState and restoreState/);
});

const SETTINGS = {
  port: setting.integer(443, "Port.", { min: 0, max: 65535 }),
  ratio: setting.number(0.5, "Ratio.", { max: 1 }),
  by: setting.choice(["peer", "local"], "peer", "What to count by."),
  every: setting.duration("10s", "Interval.", { min: "1s", max: "1h" }),
  networks: setting.networks([], "Networks."),
  names: setting.texts("a", "Names."),
  isOn: setting.boolean(true, "Whether."),
  peer: setting.address("192.0.2.1", "Peer."),
  secret: setting.text(undefined, "Required."),
};

function settings(given) {
  let values;
  const create = (read) => {
    values = read;
    return {};
  };
  run(definePlugin({ name: "test", settings: SETTINGS, create }), [], { settings: { secret: "s", ...given } });
  return values;
}

test("settings are typed values", () => {
  const { networks, peer, ...others } = settings({ networks: "10.0.0.0/8", names: ["b", "c"], every: "1m 30s" });
  assert.deepEqual([networks.map(String), String(peer)], [["10.0.0.0/8"], "192.0.2.1"]);
  const expected = {
    port: 443,
    ratio: 0.5,
    by: "peer",
    every: 90n * SECOND,
    names: ["b", "c"],
    isOn: true,
    secret: "s",
  };
  assert.deepEqual(others, expected);
  assert.deepEqual(settings({}).names, ["a"]);
});

test("a wrong setting is named", () => {
  for (const [given, error] of [
    [{ port: 65536 }, /^Error: port: expected a whole number from 0 to 65535, not 65536$/],
    [{ port: "1" }, /port: /],
    [{ port: 1.5 }, /port: /],
    [{ ratio: 2 }, /ratio: expected a number up to 1, not 2/],
    [{ by: "x" }, /by: expected one of peer, local, not "x"/],
    [{ every: "1x" }, /every: expected a duration/],
    [{ every: "999ms" }, /every: expected at least 1s/],
    [{ every: "61m" }, /every: expected at most 1h/],
    [{ every: 10 }, /every: expected text, not 10/],
    [{ networks: ["10.0.0.0/8", "x"] }, /networks: expected a network/],
    [{ names: [1] }, /names: expected text/],
    [{ isOn: "yes" }, /isOn: expected true or false/],
    [{ peer: "localhost" }, /peer: expected an IP address/],
    [{ prot: 1 }, /unknown setting "prot"; the plugin's settings: port, /],
    [{ secret: undefined }, /secret: the setting is missing/],
  ]) {
    assert.throws(() => settings(given), error);
  }
});

test("the schema has types, bounds, defaults and documentation", () => {
  const described = new Map(describePlugin(definePlugin({ name: "test", settings: SETTINGS, create: () => ({}) })));
  assert.equal(described.get("census"), "optional");
  const { properties, ...object } = JSON.parse(described.get("settings"));
  assert.deepEqual(object, { type: "object", additionalProperties: false, required: ["secret"] });
  assert.deepEqual(properties.port, {
    type: "integer",
    minimum: 0,
    maximum: 65535,
    description: "Port.",
    default: 443,
  });
  assert.deepEqual(properties.by.enum, ["peer", "local"]);
  assert.equal(properties.every.default, "10s");
  assert.equal(properties.networks.anyOf.length, 2);
});

test("an error of a component is one line with its place", () => {
  const imported = { lost: () => 0, run: () => [], count() {}, log() {} };
  const failing = (fail) => {
    const { processor, timer } = guest(plugin({ onTick: fail }), imported);
    processor.configure("{}");
    try {
      timer.tick(1);
    } catch (error) {
      return error;
    }
  };
  assert.match(
    failing(function onTick() {
      throw new RangeError("bad\n  port");
    }),
    /^RangeError: bad port \(plugin\.test\.js:\d+ in onTick\)$/,
  );
  assert.equal(
    failing(() => {
      throw "text";
    }),
    "text",
  );
  const { processor } = guest(plugin({}, { settings: SETTINGS }), imported);
  assert.throws(
    () => processor.configure('{"port":-1}'),
    (error) => error.startsWith("port: expected"),
  );
});

test("numbers of 64 bits are bigint for the plugin, whatever the engine has", () => {
  for (const [big, engine] of [
    [(number) => BigInt(number), "bigint"],
    [(number) => number, "number"],
  ]) {
    const counts = [];
    const imported = { lost: () => big(3), count: (_, by) => counts.push(by) };
    const seen = [];
    const handlers = {
      onLost: (events) => seen.push(events),
      onTick(now, out) {
        seen.push(now);
        out.count("a", 5n);
      },
    };
    const { processor, timer } = guest(plugin(handlers), imported);
    processor.configure("{}");
    timer.tick(big(7));
    assert.deepEqual(seen, [3n, 7n]);
    assert.equal(typeof counts[0], engine);
  }
});
