/**
 * The records of the present call, and the one that is processed.
 *
 * These are variables of the module, and there is one Event that reads them: engines without a compiler find a variable
 * faster than a property. With properties of the Event, a plugin that reads two fields took a fifth longer in QuickJS;
 * with a DataView, a half longer.
 */
import { cachedByWords } from "./cache.js";
import { addressFromWords, parseAddress, IpAddress } from "./ip.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";
import { parseDuration } from "./duration.js";
import { RECORD_SIZE } from "./fields.js";

/** The bytes of the call, as numbers of 8 to 64 bits. WebAssembly and all machines of node are little-endian. */
export let u8 = new Uint8Array(RECORD_SIZE);
export let u16 = new Uint16Array(u8.buffer);
/** Signed, because numbers of 32 bits without sign are no small integers in engines. `>>> 0` makes them such. */
export let i32 = new Int32Array(u8.buffer);
export let u64 = new BigUint64Array(u8.buffer);
/** Where the record of the event begins. */
export let at = 0;
/** The distance of records. */
let stride = RECORD_SIZE;
/** Numbers of the events whose records have changed, ascending. */
let changed = [];

/** Begins a call. `bytes` starts at a multiple of 8, and `size` is one. */
export function load(bytes, size) {
  const { buffer, byteOffset, byteLength } = bytes;
  u8 = bytes;
  u16 = new Uint16Array(buffer, byteOffset, byteLength >> 1);
  i32 = new Int32Array(buffer, byteOffset, byteLength >> 2);
  u64 = new BigUint64Array(buffer, byteOffset, byteLength >> 3);
  at = 0;
  stride = size;
  if (changed.length > 0) {
    changed = [];
  }
}

/** Moves from record to record, and calls `onEvent` of the plugin for each. Returns the numbers of those to drop. */
export function visit(instance, event, out) {
  const dropped = [];
  const end = u8.length;
  for (at = 0; at < end; at += stride) {
    const isKept = instance.onEvent(event, out);
    if (isKept === true || isKept === undefined) {
      continue;
    }
    if (isKept !== false) {
      throw new TypeError(`onEvent returned ${shown(isKept)}: expected true or nothing to keep, false to drop`);
    }
    dropped.push(eventNumber());
  }
  return dropped;
}

function shown(value) {
  return value instanceof Promise ? "a Promise, for which the host does not wait" : String(value);
}

/** The number of the event within its call. */
export function eventNumber() {
  // A whole number, which an array finds faster than the result of a division.
  return (at / stride) | 0;
}

/** The numbers of the events that have changed. */
export function changedEvents() {
  return changed;
}

/** Evaluates with a record of its own as the present one. */
export function withRecord(bytes, evaluate) {
  const before = [u8, stride, at, changed];
  changed = [];
  load(bytes, bytes.length);
  try {
    return evaluate();
  } finally {
    const [callBytes, callSize, callAt, callChanged] = before;
    load(callBytes, callSize);
    at = callAt;
    changed = callChanged;
  }
}

export function addressAt(offset) {
  const word = (at + offset) >> 2;
  return addressFromWords(i32[word], i32[word + 1], i32[word + 2], i32[word + 3]);
}

/** Names repeat, and decoding one takes ten times as long as finding it. */
const textFromWords = cachedByWords((...words) => {
  const bytes = new Uint8Array(Int32Array.from(words).buffer);
  const end = bytes.indexOf(0);
  return decodeUtf8(end < 0 ? bytes : bytes.subarray(0, end));
});

/** Text up to the first NUL, without a character that is cut off at the end. */
export function textAt(offset) {
  const word = (at + offset) >> 2;
  return textFromWords(i32[word], i32[word + 1], i32[word + 2], i32[word + 3]);
}

/** The names of numbers, by number. */
export function namesOf(numbers) {
  const names = Object.create(null);
  for (const name of Object.keys(numbers)) {
    names[numbers[name]] = name;
  }
  return names;
}

/** The name of a number, or such as `other(9)`. */
export function nameOf(names, number, other) {
  return names[number] ?? `${other}(${number})`;
}

/** Names of bits, joined as in `PSH|ACK`. Bits without a name are left out. */
export function flagsName(names, bits) {
  let text = "";
  for (let bit = 1; bit <= bits; bit *= 2) {
    if (bits & bit && names[bit] !== undefined) {
      text += text === "" ? names[bit] : `|${names[bit]}`;
    }
  }
  return text;
}

/** Sets a field of the event, and remembers that its record has changed. `undefined` makes the field absent. */
export function change(field, value) {
  write(field, value);
  const number = eventNumber();
  if (changed.length === 0 || changed[changed.length - 1] !== number) {
    changed.push(number);
  }
}

/** Sets a field of the present record. */
export function write(field, value) {
  const { offset, size, bit } = field;
  const start = at + offset;
  if (value === undefined) {
    if (bit === undefined) {
      throw new TypeError(`${field.name}: expected a value, because each event has this field`);
    }
    u8.fill(0, start, start + size);
    u8[at + (bit >> 3)] &= ~(1 << (bit & 7));
    return;
  }
  const bytes = encode(field, value);
  u8.set(bytes, start);
  if (bit !== undefined) {
    u8[at + (bit >> 3)] |= 1 << (bit & 7);
  }
}

function encode(field, value) {
  const { name, size, format } = field;
  if (field.names !== undefined) {
    return integer(name, size, numberOf(field, value), format === "send-error");
  }
  switch (format) {
    case "address":
      if (value instanceof IpAddress) {
        return value.bytes;
      }
      return parseAddress(value).bytes;
    case "text":
      return text(name, size, value);
    case "bool":
      if (typeof value !== "boolean") {
        throw wrong(name, "true or false", value);
      }
      return [value ? 1 : 0];
    case "duration-us": {
      const micros = nanoseconds(name, value) / 1000n;
      return integer(name, size, micros > 0xffffffffn ? 0xffffffffn : micros);
    }
    case "boot-time-ns":
    case "wall-time-ns":
      return integer(name, size, nanoseconds(name, value));
    default:
      return integer(name, size, value, format === "send-error");
  }
}

function wrong(name, expected, value) {
  const shown = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new TypeError(`${name}: expected ${expected}, not ${shown}`);
}

function nanoseconds(name, value) {
  if (typeof value === "bigint") {
    return value;
  }
  if (typeof value === "string") {
    return parseDuration(value);
  }
  throw wrong(name, "nanoseconds as a bigint, such as 3n * SECOND", value);
}

function integer(name, size, value, isSigned = false) {
  const bits = BigInt(size * 8);
  const isNumber = typeof value === "bigint" || Number.isSafeInteger(value);
  if (!isNumber || (size === 8 && typeof value !== "bigint")) {
    throw wrong(name, size === 8 ? "a bigint" : "a whole number", value);
  }
  const [low, high] = isSigned ? [-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n] : [0n, (1n << bits) - 1n];
  const exact = BigInt(value);
  if (exact < low || exact > high) {
    throw new RangeError(`${name}: expected a number from ${low} to ${high}, not ${value}`);
  }
  const bytes = new Uint8Array(size);
  let rest = BigInt.asUintN(size * 8, exact);
  for (let index = 0; index < size; index += 1, rest >>= 8n) {
    bytes[index] = Number(rest & 0xffn);
  }
  return bytes;
}

function text(name, size, value) {
  const bytes = typeof value === "string" ? encodeUtf8(value) : undefined;
  if (bytes === undefined || bytes.length > size || bytes.includes(0)) {
    throw wrong(name, `text of at most ${size} bytes without NUL`, value);
  }
  const padded = new Uint8Array(size);
  padded.set(bytes);
  return padded;
}

/** The number of a name such as `fast`, `other(9)` or `PSH|ACK`. */
function numberOf({ name, names, format }, value) {
  if (format === "tcp-flags") {
    const parts = String(value).split("|");
    return parts.filter(Boolean).reduce((bits, part) => bits | known(name, names, part), 0);
  }
  const other = /^(?:other|error)\((-?[0-9]+)\)$/.exec(value);
  return other === null ? known(name, names, value) : Number(other[1]);
}

function known(name, names, value) {
  if (!Object.hasOwn(names, value)) {
    throw wrong(name, `one of ${Object.keys(names).join(", ")}`, value);
  }
  return names[value];
}
