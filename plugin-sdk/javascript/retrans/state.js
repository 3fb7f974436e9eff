/** Saved state as bytes: JSON, with forms for bigint, Map, Set and Uint8Array. */
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

/** Names of the only member of an object that stands for another value. */
const BIGINT = "$bigint";
const MAP = "$map";
const SET = "$set";
const BYTES = "$bytes";

/**
 * JSON of a value; `undefined` where JSON has none. The host saves after each tick. `JSON.stringify`, with a function
 * for the values that JSON lacks, takes longer.
 */
function toJson(value) {
  switch (typeof value) {
    case "bigint":
      return `{"${BIGINT}":"${value}"}`;
    case "object":
      return value === null ? "null" : objectToJson(value);
    default:
      return JSON.stringify(value);
  }
}

function listToJson(values) {
  let text = "";
  for (const value of values) {
    text += `${text === "" ? "" : ","}${toJson(value) ?? "null"}`;
  }
  return `[${text}]`;
}

function objectToJson(value) {
  if (Array.isArray(value)) {
    return listToJson(value);
  }
  if (value instanceof Map) {
    let text = "";
    value.forEach((member, key) => {
      text += `${text === "" ? "" : ","}[${toJson(key)},${toJson(member) ?? "null"}]`;
    });
    return `{"${MAP}":[${text}]}`;
  }
  if (value instanceof Set) {
    return `{"${SET}":${listToJson(value)}}`;
  }
  if (value instanceof Uint8Array) {
    return `{"${BYTES}":[${value.join(",")}]}`;
  }
  if (typeof value.toJSON === "function") {
    return toJson(value.toJSON());
  }
  const members = [];
  for (const key of Object.keys(value)) {
    const text = toJson(value[key]);
    if (text !== undefined) {
      members.push(`${JSON.stringify(key)}:${text}`);
    }
  }
  return `{${members.join(",")}}`;
}

function decode(_, value) {
  if (typeof value !== "object" || value === null) {
    return value;
  }
  if (value[BIGINT] !== undefined) return BigInt(value[BIGINT]);
  if (value[MAP] !== undefined) return new Map(value[MAP]);
  if (value[SET] !== undefined) return new Set(value[SET]);
  if (value[BYTES] !== undefined) return Uint8Array.from(value[BYTES]);
  return value;
}

export function encodeState(state) {
  const text = toJson(state);
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
