/** The effects of a call, held back until its end. */
import { eventNumber } from "./cursor.js";
import { host } from "./host.js";
import { encodeUtf8 } from "./utf8.js";

const SEVERITIES = ["info", "warning", "critical"];
const STATES = ["firing", "resolved"];

/** Collects alerts, lines and metrics. They take effect when the call has succeeded. */
export class Output {
  /** Whether an event is processed: alerts are about it. */
  #isOnEvent = false;
  #lines = "";
  #alerts = [];
  #counts = new Map();
  #gauges = new Map();
  #observed = new Map();

  alert({ name, severity = "warning", state = "firing", summary = "", labels = {}, event = true }) {
    if (typeof name !== "string" || name === "") {
      throw new TypeError("alert: the name is missing");
    }
    if (!SEVERITIES.includes(severity)) {
      throw new TypeError(`alert ${name}: severity: expected one of ${SEVERITIES.join(", ")}, not ${severity}`);
    }
    if (!STATES.includes(state)) {
      throw new TypeError(`alert ${name}: state: expected one of ${STATES.join(", ")}, not ${state}`);
    }
    this.#alerts.push({
      name: name.toWellFormed(),
      severity,
      state,
      summary: String(summary).toWellFormed(),
      labels: Object.entries(labels).map(([key, value]) => [key.toWellFormed(), String(value).toWellFormed()]),
      event: event && this.#isOnEvent ? eventNumber() : undefined,
    });
  }

  line(text) {
    const line = String(text);
    this.#lines += line.endsWith("\n") ? line : `${line}\n`;
  }

  json(value) {
    this.line(exactJson(value));
  }

  count(metric, by = 1) {
    if (typeof by !== "bigint" && !Number.isSafeInteger(by)) {
      throw new TypeError(`count ${metric}: expected a whole number or a bigint, not ${by}`);
    }
    if (by < 0) {
      throw new RangeError(`count ${metric}: expected a number that is not negative, not ${by}`);
    }
    this.#counts.set(metric, (this.#counts.get(metric) ?? 0n) + BigInt(by));
  }

  gauge(metric, value) {
    if (Number.isFinite(Number(value))) {
      this.#gauges.set(metric, Number(value));
    }
  }

  observe(metric, value) {
    if (!Number.isFinite(Number(value))) {
      return;
    }
    const values = this.#observed.get(metric);
    if (values === undefined) {
      this.#observed.set(metric, [Number(value)]);
    } else {
      values.push(Number(value));
    }
  }

  /** Begins a call, or its events. Forgets what a call that failed has left. */
  begin() {
    this.#isOnEvent = false;
    if (this.#alerts.length > 0) {
      this.#alerts = [];
    }
    this.#lines = "";
    if (this.#counts.size + this.#gauges.size + this.#observed.size > 0) {
      this.#counts.clear();
      this.#gauges.clear();
      this.#observed.clear();
    }
  }

  beginEvents() {
    this.#isOnEvent = true;
  }

  /** Passes the effects to the host. */
  commit() {
    for (const alert of this.#alerts) {
      host.emit(alert);
    }
    if (this.#lines !== "") {
      host.write(encodeUtf8(this.#lines));
    }
    if (this.#counts.size + this.#gauges.size + this.#observed.size > 0) {
      this.#counts.forEach((by, metric) => by > 0n && host.count(metric, by));
      this.#gauges.forEach((value, metric) => host.gauge(metric, value));
      this.#observed.forEach((values, metric) => host.observe(metric, Float64Array.from(values)));
    }
  }
}

/** Text that no value has, and the number that it stands for. */
const MARK = "\u0000bigint ";
const MARKED = /"\\u0000bigint (-?[0-9]+)"/g;

/** JSON of a value, with all digits of each bigint. */
function exactJson(value) {
  const text = JSON.stringify(value, (_, member) => (typeof member === "bigint" ? `${MARK}${member}` : member));
  if (text === undefined) {
    throw new TypeError(`json: a ${typeof value} has no form in JSON`);
  }
  return text.replace(MARKED, "$1");
}
