import assert from "node:assert/strict";
import { test } from "node:test";
import { definePlugin, IpAddress } from "../retrans/index.js";
import { FIELDS, RECORD_SIZE } from "../retrans/fields.js";
import { useHost } from "../retrans/host.js";
import { createInstance } from "../retrans/plugin.js";
import { Runner } from "../retrans/runner.js";
import { record, run } from "../retrans/testing.js";

/** Two values of a field that differ. */
function values({ name, names, format, size }) {
  if (format === "tcp-flags" && names !== undefined) return ["SYN|ACK", "FIN"];
  if (names !== undefined) return Object.keys(names).slice(-2);
  switch (format) {
    case "address":
      return ["192.0.2.7", "2001:db8::7"];
    case "text":
      return ["nginx", "postgres"];
    case "bool":
      return [true, false];
    case "duration-us":
      return [4_294_967_295_000n, 7_000n];
    case "send-error":
      return [-113, 1];
    case "u64":
    case "boot-time-ns":
    case "wall-time-ns":
      return [2n ** 64n - 1n, 7n];
    default:
      return name === "size" ? [RECORD_SIZE, RECORD_SIZE] : [2 ** (8 * size) - 1, 7];
  }
}

const plain = (value) => (value instanceof IpAddress ? String(value) : value);

/** Runs `onEvent` over the bytes of records with this size, and returns what the host gets. */
function process(onEvent, recordSize, bytes, count = bytes.length / recordSize) {
  const changes = [];
  const host = { lost: () => 0n, labels: () => [], change: (events, records) => changes.push({ events, records }) };
  const before = useHost(host);
  try {
    const plugin = definePlugin({ name: "test", create: () => ({ onEvent }) });
    const keep = new Runner(createInstance(plugin, {})).process(count, recordSize, bytes);
    return { keep, changes };
  } finally {
    useHost(before);
  }
}

test("each field is read as it was written, and is absent without its presence bit", () => {
  for (const field of Object.values(FIELDS)) {
    for (const value of values(field)) {
      assert.equal(plain(record({ [field.name]: value })[field.name]), value, field.name);
    }
    if (field.bit !== undefined) {
      const { bytes } = record({ [field.name]: values(field)[0] });
      bytes[field.bit >> 3] &= ~(1 << (field.bit & 7));
      process((event) => assert.equal(event[field.name], undefined, field.name), RECORD_SIZE, bytes);
    }
  }
});

test("a record without any optional field has none", () => {
  const bytes = new Uint8Array(RECORD_SIZE);
  const present = [];
  process(
    (event) => {
      present.push(...Object.keys(FIELDS).filter((name) => event[name] !== undefined));
    },
    RECORD_SIZE,
    bytes,
  );
  const core = Object.values(FIELDS).filter(({ bit }) => bit === undefined);
  assert.deepEqual(
    present,
    core.map(({ name }) => name),
  );
});

test("a change is passed to the host, and leaves all other bytes", () => {
  for (const field of Object.values(FIELDS)) {
    const settable = Object.getOwnPropertyDescriptor(eventClass(), field.name)?.set !== undefined;
    const bytes = Uint8Array.from({ length: 3 * RECORD_SIZE }, (_, index) => (index * 7) & 0xff);
    const original = bytes.slice();
    const [value, other] = values(field);
    let number = 0;
    const change = (event) => {
      if (number++ === 1) {
        event[field.name] = plain(event[field.name]) === value ? other : value;
      }
    };
    if (!settable) {
      assert.throws(() => process(change, RECORD_SIZE, bytes), TypeError, field.name);
      continue;
    }
    const { changes } = process(change, RECORD_SIZE, bytes);
    assert.equal(changes.length, 1, field.name);
    assert.deepEqual([...changes[0].events], [1]);
    const expected = original.slice(RECORD_SIZE, 2 * RECORD_SIZE);
    changes[0].records.forEach((byte, index) => {
      const isField = index >= field.offset && index < field.offset + field.size;
      const isBit = field.bit !== undefined && index === field.bit >> 3;
      const mask = isField ? 0 : isBit ? 0xff & ~(1 << (field.bit & 7)) : 0xff;
      assert.equal(byte & mask, expected[index] & mask, `${field.name}, byte ${index}`);
    });
  }
});

/** The prototype with the accessors of events. */
function eventClass() {
  let prototype;
  process(
    (event) => {
      prototype = Object.getPrototypeOf(event);
    },
    RECORD_SIZE,
    new Uint8Array(RECORD_SIZE),
  );
  return prototype;
}

test("only the host sets size, CPU, sequences and times", () => {
  for (const name of ["size", "cpu", "sequence", "cpuSequence", "time", "wallTime"]) {
    assert.equal(Object.getOwnPropertyDescriptor(eventClass(), name).set, undefined, name);
  }
});

test("wrong values are refused with the name of the field", () => {
  const wrong = [
    ["mark", -1],
    ["mark", 2 ** 32],
    ["mark", 1.5],
    ["mark", "1"],
    ["bytesSent", 1],
    ["rto", 3],
    ["kind", "quick"],
    ["sent", 1],
    ["ownerComm", "a name of more than 16 bytes"],
    ["kind", undefined],
  ];
  for (const [name, value] of wrong) {
    const change = (event) => {
      event[name] = value;
    };
    assert.throws(() => process(change, RECORD_SIZE, record().bytes), new RegExp(`${name}:`), `${name} = ${value}`);
  }
});

test("numbers without a name have one, and can be set", () => {
  const event = record({ kindNumber: 99, errorNumber: -7, tcpFlagsNumber: 0x8002 });
  assert.deepEqual([event.kind, event.error, event.tcpFlags], ["other(99)", "error(-7)", "SYN"]);
  assert.equal(record({ kind: "other(99)" }).kindNumber, 99);
});

test("names of processes are UTF-8 without what was cut off", () => {
  const { bytes } = record({ ownerComm: "a" });
  const at = FIELDS.ownerComm.offset;
  const comm = () => {
    let text;
    process(
      (event) => {
        text = event.ownerComm;
      },
      RECORD_SIZE,
      bytes,
    );
    return text;
  };
  bytes.set(new TextEncoder().encode("fünfzehn bytes€€").subarray(0, 16), at);
  assert.equal(comm(), "fünfzehn bytes");
  bytes.set([0x61, 0xff, 0x62, 0xe2, 0x82, 0x63, 0], at);
  assert.equal(comm(), "a?b?c");
});

test("longer records are stepped over, shorter ones lack fields, and odd ones are no different", () => {
  const whole = record({ rto: "3s", ownerComm: "nginx", lastPid: 42, mark: 7 });
  for (const size of [88, 130, 140, 255, 300, 336, 340, 376, 380, 383, 384, 385, 391, 392, 400, 512]) {
    const bytes = new Uint8Array(3 * size);
    for (const start of [0, size, 2 * size]) {
      bytes.fill(0xee, start, start + size);
      bytes.set(whole.bytes.subarray(0, Math.min(size, RECORD_SIZE)), start);
    }
    const original = bytes.slice();
    const seen = [];
    const { changes } = process(
      (event) => {
        seen.push([event.peer.port, event.rto, event.ownerComm, event.lastPid, event.mark]);
        if (seen.length === 2 && size >= 240) {
          event.mark = 8;
        }
      },
      size,
      bytes,
    );
    const has = (name, value) => {
      const { offset, size: fieldSize } = FIELDS[name];
      return offset + fieldSize <= size ? value : undefined;
    };
    const expected = [443, has("rto", 3_000_000_000n), has("ownerComm", "nginx"), has("lastPid", 42), has("mark", 7)];
    assert.deepEqual(seen, [expected, expected, expected], `size ${size}`);
    if (size >= 240) {
      const changed = original.slice(size, 2 * size);
      changed[FIELDS.mark.offset] = 8;
      assert.deepEqual(changes, [{ events: Uint32Array.of(1), records: changed }], `size ${size}`);
    }
  }
});

test("a call that does not fit the contract is refused", () => {
  assert.throws(() => process(() => {}, 80, new Uint8Array(80)), /80 bytes as 1 records of 80 bytes/);
  assert.throws(() => process(() => {}, 384, new Uint8Array(385), 1), /385 bytes/);
});

test("kept events are all, none, or bits that end with the last event", () => {
  const keepIf = (isKept) => {
    let number = 0;
    return process(() => isKept(number++), RECORD_SIZE, new Uint8Array(11 * RECORD_SIZE)).keep;
  };
  assert.deepEqual(
    keepIf(() => true),
    { tag: "all" },
  );
  assert.deepEqual(
    keepIf(() => undefined),
    { tag: "all" },
  );
  assert.deepEqual(
    keepIf(() => false),
    { tag: "none" },
  );
  assert.deepEqual(
    keepIf((number) => number !== 1),
    { tag: "bits", val: Uint8Array.of(0xfd, 0x07) },
  );
  assert.throws(() => keepIf(() => 0), /onEvent returned 0: expected true or nothing to keep, false to drop/);
  assert.throws(() => keepIf(async () => true), /a Promise, for which the host does not wait/);
});

test("a change of an event that is dropped is not passed on", () => {
  const onEvent = (event) => {
    event.mark = 1;
    return event.peer.port === 443;
  };
  const plugin = definePlugin({ name: "test", create: () => ({ onEvent }) });
  const { kept } = run(plugin, [record(), record({ peer: "192.0.2.1:80" }), record()]);
  assert.deepEqual(
    kept.map(({ number, mark }) => [number, mark]),
    [
      [0, 1],
      [2, 1],
    ],
  );
});
