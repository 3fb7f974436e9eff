/** Saved state as bytes: JSON, with forms for bigint, Map, Set and Uint8Array. */
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

/** Names of the only member of an object that stands for another value. */
const BIGINT = "$bigint";
const MAP = "$map";
const SET = "$set";
const BYTES = "$bytes";
/** A plain object with a key that begins with $: it could be taken for one of the others. */
const OBJECT = "$object";

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
  const keys = Object.keys(value);
  const isList = keys.some((key) => key[0] === "$");
  const members = [];
  for (const key of keys) {
    const text = toJson(value[key]);
    if (text !== undefined) {
      members.push(isList ? `[${JSON.stringify(key)},${text}]` : `${JSON.stringify(key)}:${text}`);
    }
  }
  return isList ? `{"${OBJECT}":[${members.join(",")}]}` : `{${members.join(",")}}`;
}

function decode(_, value) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return value;
  }
  const keys = Object.keys(value);
  switch (keys.length === 1 && keys[0]) {
    case BIGINT:
      return BigInt(value[BIGINT]);
    case MAP:
      return new Map(value[MAP]);
    case SET:
      return new Set(value[SET]);
    case BYTES:
      return Uint8Array.from(value[BYTES]);
    case OBJECT:
      return Object.fromEntries(value[OBJECT]);
    default:
      return value;
  }
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
