/** The labels of a call's events, in columns: one for each key, with the values for some of the events. */
import { host } from "./host.js";
import { utf8Length, isAscii } from "./utf8.js";

/** Keys to their columns. The values of a column are by the number of the event, ascending. */
let own = new Map();
/** The labels of the host and of earlier plugins; fetched at the first use. */
let earlier;

function fetchEarlier() {
  const columns = new Map();
  for (const { key, events, ends, text } of host.labels()) {
    const values = new Map();
    let start = 0;
    // The host counts bytes.
    const part = isAscii(text) ? (from, to) => text.slice(from, to) : cutter(text);
    for (let index = 0; index < events.length; index += 1) {
      values.set(events[index], part(start, ends[index]));
      start = ends[index];
    }
    columns.set(key, values);
  }
  return columns;
}

/** Returns parts of text between numbers of bytes, which must ascend. */
function cutter(text) {
  let [bytes, index] = [0, 0];
  return (_, end) => {
    const start = index;
    while (bytes < end && index < text.length) {
      const character = String.fromCodePoint(text.codePointAt(index));
      bytes += utf8Length(character);
      index += character.length;
    }
    return text.slice(start, index);
  };
}

function checkKey(key) {
  if (typeof key !== "string" || key === "") {
    throw new TypeError(`the key of a label: expected text, not ${String(key) || '""'}`);
  }
}

export const labels = {
  /** Begins a call. */
  begin() {
    earlier = undefined;
    if (own.size > 0) {
      own = new Map();
    }
  },

  set(event, key, value) {
    checkKey(key);
    let values = own.get(key);
    if (values === undefined) {
      values = new Map();
      own.set(key, values);
    }
    values.set(event, String(value).toWellFormed());
  },

  get(event, key) {
    const value = own.get(key)?.get(event);
    if (value !== undefined) {
      return value;
    }
    earlier ??= fetchEarlier();
    return earlier.get(key)?.get(event);
  },

  /** All labels of an event in the order of their keys. */
  all(event) {
    earlier ??= fetchEarlier();
    const found = new Map();
    for (const columns of [earlier, own]) {
      for (const [key, values] of columns) {
        const value = values.get(event);
        if (value !== undefined) {
          found.set(key, value);
        }
      }
    }
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  },

  /** Removes this plugin's labels of an event that is dropped. */
  unset(event) {
    if (own.size > 0) {
      own.forEach((values) => values.delete(event));
    }
  },

  /** Passes this plugin's labels to the host. */
  commit() {
    if (own.size === 0) {
      return;
    }
    for (const key of [...own.keys()].sort()) {
      const values = own.get(key);
      if (values.size > 0) {
        host.annotate(column(key, values));
      }
    }
  },
};

function column(key, values) {
  const events = new Uint32Array(values.size);
  const ends = new Uint32Array(values.size);
  let [index, end, text] = [0, 0, ""];
  for (const [event, value] of values) {
    events[index] = event;
    end += utf8Length(value);
    ends[index] = end;
    text += value;
    index += 1;
  }
  return { key, events, ends, text };
}
