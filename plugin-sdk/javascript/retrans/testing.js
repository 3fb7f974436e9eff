/** Runs a plugin natively, for tests. */
import assert from "node:assert/strict";
import { withRecord, write } from "./cursor.js";
import { parseDuration } from "./duration.js";
import { Event } from "./event.js";
import { FIELDS, RECORD_SIZE } from "./fields.js";
import { parseAddress } from "./ip.js";
import { createInstance } from "./plugin.js";
import { Runner } from "./runner.js";
import { TestHost } from "./test_host.js";

/** The numbers of events in a call with which a plugin is run. */
const BATCH_SIZES = [1, 7, 256];

const reader = new Event();

/** A record of its own, with the accessors of an event for reading. */
class TestRecord {
  constructor(bytes, labels) {
    this.bytes = bytes;
    this.labels = Object.freeze({ ...labels });
    Object.freeze(this);
  }

  get peer() {
    return { ip: this.peerAddress, port: this.peerPort };
  }

  get local() {
    return { ip: this.localAddress, port: this.localPort };
  }
}

for (const name of Object.keys(FIELDS)) {
  Object.defineProperty(TestRecord.prototype, name, {
    get() {
      return withRecord(this.bytes, () => reader[name]);
    },
  });
}

const DEFAULTS = {
  size: RECORD_SIZE,
  time: "1000s",
  wallTime: 1_767_226_600_000_000_000n,
  state: "ESTABLISHED",
  local: "10.1.0.1:40000",
  peer: "10.2.0.1:443",
  kind: "fast",
  tracepoint: "tcp_retransmit_skb",
  sent: true,
  segments: 1,
};

function endpoint(name, text) {
  const [, ip, port] = /^\[?(.*?)\]?:([0-9]+)$/.exec(text) ?? [];
  if (port === undefined || Number(port) > 65535) {
    throw new TypeError(`${name}: expected an address with a port, such as 192.0.2.1:443, not ${text}`);
  }
  return [parseAddress(ip), Number(port)];
}

/** An event with these fields, by the names of the accessors; others have simple values, or are absent. */
export function record({ labels, ...values } = {}) {
  const { peer, local, ...fields } = { ...DEFAULTS, ...values };
  const [peerAddress, peerPort] = endpoint("peer", peer);
  const [localAddress, localPort] = endpoint("local", local);
  const all = { peerAddress, peerPort, localAddress, localPort, ipVersion: peerAddress.version, ...fields };
  const bytes = new Uint8Array(RECORD_SIZE);
  withRecord(bytes, () => {
    for (const [name, value] of Object.entries(all)) {
      if (!Object.hasOwn(FIELDS, name)) {
        throw new TypeError(`record: an event has no field ${name}`);
      }
      write(FIELDS[name], value);
    }
  });
  return new TestRecord(bytes, labels);
}

class Step {
  constructor(kind, value) {
    this.kind = kind;
    this.value = value;
    Object.freeze(this);
  }
}

function time(value) {
  return typeof value === "string" ? parseDuration(value) : value;
}

/** A tick at this time since boot: nanoseconds, or text such as "70s". */
export const tick = (now) => new Step("tick", time(now));
/** The end of the stream. */
export const finish = (now) => new Step("finish", time(now));
/** Events that are lost before the next ones. */
export const lost = (events) => new Step("lost", BigInt(events));
/** A new instance with the state of the old one, and with these settings if there are any. */
export const reload = (settings) => new Step("reload", settings);

/** Runs the plugin over events and steps, in calls of 1, 7 and 256 events, which must make no difference. */
export function run(plugin, steps, { settings = {}, runInfo = {} } = {}) {
  const outcomes = BATCH_SIZES.map((size) => runOnce(plugin, steps, settings, runInfo, size, false));
  for (const [index, outcome] of outcomes.entries()) {
    const sizes = `calls of ${BATCH_SIZES[index]} and of ${BATCH_SIZES[0]} events`;
    assert.deepEqual(summary(outcome), summary(outcomes[0]), `the answers differ between ${sizes}`);
  }
  if (plugin.stateVersion !== undefined) {
    const reloaded = { ...runOnce(plugin, steps, settings, runInfo, BATCH_SIZES[1], true), logs: [] };
    const expected = { ...outcomes[0], logs: [] };
    assert.deepEqual(summary(reloaded), summary(expected), "the answers differ with a reload after each call");
  }
  return outcomes[0];
}

/** An outcome in a form that can be compared. */
function summary({ kept, ...others }) {
  return { ...others, kept: kept.map(({ number, bytes, labels }) => ({ number, bytes, labels })) };
}

function runOnce(plugin, steps, settings, runInfo, batchSize, isReloading) {
  const host = new TestHost(runInfo);
  let present = settings;
  let runner = host.call([], () => new Runner(createInstance(plugin, present), plugin.stateVersion));
  const reloadNow = (changed) => {
    present = changed ?? present;
    const saved = host.callWithoutEffects(() => runner.save());
    runner = host.call([], () => new Runner(createInstance(plugin, present), plugin.stateVersion));
    if (plugin.stateVersion !== undefined) {
      host.callWithoutEffects(() => runner.restore(...saved));
    }
  };
  const call = (records, run) => {
    host.call(records, () => run(runner));
    if (isReloading) {
      reloadNow();
    }
  };
  for (const part of inCalls(steps, batchSize)) {
    if (Array.isArray(part)) {
      const bytes = Uint8Array.from(part.flatMap((one) => [...one.bytes]));
      call(part, (one) => host.addKept(part, one.process(part.length, RECORD_SIZE, bytes), KeptRecord));
    } else if (part.kind === "lost") {
      host.lostEvents += part.value;
    } else if (part.kind === "reload") {
      reloadNow(part.value);
    } else {
      call([], (one) => one[part.kind](part.value));
    }
  }
  return host.outcome();
}

/** An event that the plugin has kept: its record and labels afterwards, and its number within the stream. */
class KeptRecord extends TestRecord {
  constructor(bytes, labels, number) {
    super(bytes, labels);
    KeptRecord.#numbers.set(this, number);
  }

  static #numbers = new WeakMap();

  get number() {
    return KeptRecord.#numbers.get(this);
  }
}

/** Steps, and lists of up to `size` events in a row. */
function inCalls(steps, size) {
  const parts = [];
  for (const step of steps.flat()) {
    const last = parts.at(-1);
    if (step instanceof Step) {
      parts.push(step);
    } else if (!(step instanceof TestRecord)) {
      throw new TypeError("run: expected what record, tick, lost, reload and finish return");
    } else if (Array.isArray(last) && last.length < size) {
      last.push(step);
    } else {
      parts.push([step]);
    }
  }
  return parts;
}
