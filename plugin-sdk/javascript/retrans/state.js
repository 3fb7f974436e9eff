/** Saved state as bytes: JSON, with forms for bigint, Map, Set and Uint8Array. */
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

const TAG = "$";

function encode(_, value) {
  if (typeof value === "bigint") return { [TAG]: "bigint", value: String(value) };
  if (value instanceof Map) return { [TAG]: "map", value: [...value] };
  if (value instanceof Set) return { [TAG]: "set", value: [...value] };
  if (value instanceof Uint8Array) return { [TAG]: "bytes", value: [...value] };
  return value;
}

function decode(_, value) {
  switch (value?.[TAG]) {
    case "bigint":
      return BigInt(value.value);
    case "map":
      return new Map(value.value);
    case "set":
      return new Set(value.value);
    case "bytes":
      return Uint8Array.from(value.value);
    default:
      return value;
  }
}

export function encodeState(state) {
  const text = JSON.stringify(state, encode);
  if (text === undefined) {
    throw new TypeError(`saveState: expected a value that JSON can have, not ${typeof state}`);
  }
  return encodeUtf8(text);
}

/** Reads what `encodeState` has written. */
export function decodeState(bytes) {
  try {
    return JSON.parse(decodeUtf8(bytes), decode);
  } catch (error) {
    throw new Error(`cannot read the state: ${error.message}`);
  }
}
