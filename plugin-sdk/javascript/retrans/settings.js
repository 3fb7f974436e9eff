/** Settings: declared once, with type, default and documentation. */
import { parseDuration } from "./duration.js";
import { parseAddress, parseNetwork } from "./ip.js";

/** A kind of setting: its schema, and what reads a value of JSON. */
class Setting {
  constructor(schema, read, fallback, description) {
    this.read = read;
    this.fallback = fallback;
    this.schema = { ...schema, description };
    if (fallback !== undefined) {
      this.schema.default = fallback;
    }
    Object.freeze(this);
  }
}

function shown(value) {
  return JSON.stringify(value);
}

function expect(isExpected, expected, value) {
  if (!isExpected) {
    throw new TypeError(`expected ${expected}, not ${shown(value)}`);
  }
}

function text(value) {
  expect(typeof value === "string", "text", value);
  return value;
}

const DURATION = {
  type: "string",
  pattern: "^\\s*(0|([0-9.]+\\s*[a-zA-Zµ]+\\s*)+)$",
  examples: ["10s", "250ms", "1m30s"],
};

const NETWORK = {
  type: "string",
  pattern: "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$",
  examples: ["10.0.0.0/8", "2001:db8::/32"],
};

/** One value, or a list of them, as a list. */
function oneOrMany(one, many, read) {
  const list = (value) => (Array.isArray(value) ? value : [value]).map(read);
  return [{ anyOf: [one, { type: "array", items: many }] }, list];
}

export const setting = Object.freeze({
  integer(fallback, description, { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = {}) {
    const read = (value) => {
      expect(Number.isInteger(value) && value >= min && value <= max, `a whole number from ${min} to ${max}`, value);
      return value;
    };
    return new Setting({ type: "integer", minimum: min, maximum: max }, read, fallback, description);
  },

  number(fallback, description, { min, max } = {}) {
    const schema = { type: "number" };
    if (min !== undefined) schema.minimum = min;
    if (max !== undefined) schema.maximum = max;
    const bounds = `${min === undefined ? "" : ` from ${min}`}${max === undefined ? "" : ` up to ${max}`}`;
    const read = (value) => {
      const isWithin = typeof value === "number" && !(value < min) && !(value > max);
      expect(isWithin, `a number${bounds}`, value);
      return value;
    };
    return new Setting(schema, read, fallback, description);
  },

  boolean(fallback, description) {
    const read = (value) => {
      expect(typeof value === "boolean", "true or false", value);
      return value;
    };
    return new Setting({ type: "boolean" }, read, fallback, description);
  },

  text(fallback, description) {
    return new Setting({ type: "string" }, text, fallback, description);
  },

  choice(words, fallback, description) {
    const read = (value) => {
      expect(words.includes(value), `one of ${words.join(", ")}`, value);
      return value;
    };
    return new Setting({ type: "string", enum: [...words] }, read, fallback, description);
  },

  duration(fallback, description, { min, max } = {}) {
    const [least, most] = [min, max].map((bound) => (bound === undefined ? undefined : parseDuration(bound)));
    const read = (value) => {
      const duration = parseDuration(text(value));
      expect(least === undefined || duration >= least, `at least ${min}`, value);
      expect(most === undefined || duration <= most, `at most ${max}`, value);
      return duration;
    };
    return new Setting(DURATION, read, fallback, description);
  },

  address(fallback, description) {
    return new Setting({ type: "string", format: "ip" }, parseAddress, fallback, description);
  },

  network(fallback, description) {
    return new Setting(NETWORK, parseNetwork, fallback, description);
  },

  networks(fallback, description) {
    const [schema, read] = oneOrMany(NETWORK, NETWORK, parseNetwork);
    return new Setting(schema, read, fallback, description);
  },

  texts(fallback, description) {
    const [schema, read] = oneOrMany({ type: "string" }, { type: "string" }, text);
    return new Setting(schema, read, fallback, description);
  },
});

/** The JSON schema of settings, which the host enforces. */
export function schemaOf(settings) {
  const required = Object.keys(settings).filter((name) => settings[name].fallback === undefined);
  const properties = Object.fromEntries(Object.entries(settings).map(([name, { schema }]) => [name, schema]));
  const schema = { type: "object", properties, additionalProperties: false };
  return required.length === 0 ? schema : { ...schema, required };
}

/** Reads settings from an object of JSON, with the defaults of those that are missing. */
export function readSettings(settings, given) {
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(settings, name)) {
      const names = Object.keys(settings).join(", ") || "there are none";
      throw new Error(`unknown setting ${shown(name)}; the plugin's settings: ${names}`);
    }
  }
  const values = {};
  for (const [name, { read, fallback }] of Object.entries(settings)) {
    const value = Object.hasOwn(given, name) ? given[name] : fallback;
    if (value === undefined) {
      throw new Error(`${name}: the setting is missing`);
    }
    try {
      values[name] = read(value);
    } catch (error) {
      throw new Error(`${name}: ${error.message}`);
    }
  }
  return Object.freeze(values);
}
