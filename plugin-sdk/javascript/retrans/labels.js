/** The labels of a call's events, in columns: one for each key, with the values for some of the events. */
import { host } from "./host.js";
import { utf8Length, isAscii } from "./utf8.js";

/** Most events of a call. */
const MOST_EVENTS = 256;

/**
 * Keys to their columns: lists of the events that have a value, ascending, and of the values. Not maps of events: those
 * of QuickJS take microseconds to find a number.
 */
let own = new Map();
/** The labels of the host and of earlier plugins; fetched at the first use. */
let earlier;

function fetchEarlier() {
  const columns = new Map();
  for (const { key, events, ends, text } of host.labels()) {
    const values = [];
    let start = 0;
    // The host counts bytes.
    const part = isAscii(text) ? (from, to) => text.slice(from, to) : cutter(text);
    for (let index = 0; index < events.length; index += 1) {
      values.push(part(start, ends[index]));
      start = ends[index];
    }
    columns.set(key, { events, values });
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

export const labels = {
  /** Begins a call. */
  begin() {
    earlier = undefined;
    if (own.size > 0) {
      own = new Map();
    }
  },

  set(event, key, value) {
    let column = own.get(key);
    if (column === undefined) {
      if (typeof key !== "string" || key === "") {
        throw new TypeError(`the key of a label: expected text, not ${String(key) || '""'}`);
      }
      column = { events: [], values: [] };
      own.set(key, column);
    }
    const { events, values } = column;
    const text = typeof value === "string" ? value : String(value);
    const last = events.length - 1;
    if (last >= 0 && events[last] === event) {
      values[last] = text;
    } else {
      events.push(event);
      values.push(text);
    }
  },

  get(event, key) {
    const value = valueIn(own.get(key), event);
    if (value !== undefined) {
      return value;
    }
    earlier ??= fetchEarlier();
    return valueIn(earlier.get(key), event);
  },

  /** All labels of an event in the order of their keys. */
  all(event) {
    earlier ??= fetchEarlier();
    const found = new Map();
    for (const columns of [earlier, own]) {
      for (const [key, column] of columns) {
        const value = valueIn(column, event);
        if (value !== undefined) {
          found.set(key, value);
        }
      }
    }
    return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  },

  /** Passes this plugin's labels of the events that are kept to the host. */
  commit(dropped) {
    if (own.size === 0) {
      return;
    }
    const keys = own.size === 1 ? own.keys() : [...own.keys()].sort();
    for (const key of keys) {
      const column = own.get(key);
      const kept = dropped.length === 0 ? column : without(dropped, column);
      if (kept.events.length > 0) {
        host.annotate(textColumn(key, kept));
      }
    }
  },
};

function without(dropped, { events, values }) {
  const isDropped = new Uint8Array(MOST_EVENTS);
  for (const event of dropped) {
    isDropped[event] = 1;
  }
  const isKept = (_, index) => isDropped[events[index]] === 0;
  return { events: events.filter(isKept), values: values.filter(isKept) };
}

/** The value for an event; most often that of the last one, else by binary search. */
function valueIn(column, event) {
  if (column === undefined) {
    return undefined;
  }
  const { events, values } = column;
  let low = 0;
  let high = events.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (events[middle] <= event) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  return events[low] === event ? values[low] : undefined;
}

function textColumn(key, { events, values }) {
  let texts = values;
  let text = texts.join("");
  const isShort = isAscii(text);
  if (!isShort) {
    texts = texts.map((value) => value.toWellFormed());
    text = texts.join("");
  }
  // Filled one by one: engines without a compiler are slow at iterators.
  const count = events.length;
  const numbers = new Uint32Array(count);
  const ends = new Uint32Array(count);
  for (let index = 0, end = 0; index < count; index += 1) {
    end += isShort ? texts[index].length : utf8Length(texts[index]);
    numbers[index] = events[index];
    ends[index] = end;
  }
  return { key, events: numbers, ends, text };
}
