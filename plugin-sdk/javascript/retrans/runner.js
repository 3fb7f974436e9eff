/** Runs an instance over the bytes of a call, and passes its effects to the host. */
import { changedEvents, load, visit } from "./cursor.js";
import { Event } from "./event.js";
import { RECORD_SIZE } from "./fields.js";
import { host } from "./host.js";
import { labels } from "./labels.js";
import { Output } from "./output.js";
import { decodeState, encodeState } from "./state.js";
import { narrow, widen } from "./widen.js";

/** Size in bytes of the fields that every record has. */
const CORE_SIZE = 88;

const KEEP_ALL = Object.freeze({ tag: "all" });
const KEEP_NONE = Object.freeze({ tag: "none" });

export class Runner {
  #instance;
  #stateVersion;
  #event = new Event();
  #out = new Output();

  constructor(instance, stateVersion) {
    this.#instance = instance;
    this.#stateVersion = stateVersion;
  }

  process(count, recordSize, bytes) {
    if (recordSize < CORE_SIZE || bytes.length !== count * recordSize) {
      throw new Error(`the host passed ${bytes.length} bytes as ${count} records of ${recordSize} bytes`);
    }
    this.#begin();
    if (this.#instance.onEvent === undefined) {
      this.#out.commit();
      return KEEP_ALL;
    }
    const isAsKnown = recordSize >= RECORD_SIZE && recordSize % 8 === 0 && bytes.byteOffset % 8 === 0;
    const records = isAsKnown ? { bytes, size: recordSize } : widen(bytes, recordSize);
    load(records.bytes, records.size);
    this.#out.beginEvents();
    const dropped = visit(this.#instance, this.#event, this.#out);
    const changed = changedEvents();
    if (changed.length > 0) {
      const isDropped = new Set(dropped);
      const kept = changed.filter((number) => !isDropped.has(number));
      returnChanged(kept, isAsKnown ? records : narrow(records, bytes, recordSize));
    }
    labels.commit(dropped);
    this.#out.commit();
    return keepAllBut(dropped, count);
  }

  tick(now) {
    this.#begin();
    this.#instance.onTick?.(now, this.#out);
    this.#out.commit();
  }

  finish(now) {
    this.#begin();
    this.#instance.onFinish?.(now, this.#out);
    this.#out.commit();
  }

  /** The version of the state, and its bytes. */
  save() {
    if (this.#stateVersion === undefined) {
      return [0, new Uint8Array(0)];
    }
    return [this.#stateVersion, encodeState(this.#instance.saveState())];
  }

  restore(version, bytes) {
    if (this.#stateVersion === undefined) {
      return;
    }
    this.#instance.restoreState(decodeState(bytes), version);
  }

  /** Begins a call. Clears what an earlier call left, also one that failed. */
  #begin() {
    labels.begin();
    this.#out.begin();
    const lost = host.lost();
    if (lost > 0n) {
      this.#instance.onLost?.(lost, this.#out);
    }
  }
}

/** Passes changed records to the host, back to back. */
function returnChanged(numbers, { bytes, size }) {
  if (numbers.length === 0) {
    return;
  }
  const records = new Uint8Array(numbers.length * size);
  numbers.forEach((number, place) => records.set(bytes.subarray(number * size, (number + 1) * size), place * size));
  host.change(Uint32Array.from(numbers), records);
}

function keepAllBut(dropped, count) {
  if (dropped.length === 0) {
    return KEEP_ALL;
  }
  if (dropped.length === count) {
    return KEEP_NONE;
  }
  const bits = new Uint8Array((count + 7) >> 3).fill(0xff);
  // By the contract, bits beyond the last event are 0.
  bits[bits.length - 1] = 0xff >> (bits.length * 8 - count);
  for (const number of dropped) {
    bits[number >> 3] &= ~(1 << (number & 7));
  }
  return { tag: "bits", val: bits };
}
