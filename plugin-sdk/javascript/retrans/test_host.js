/** A host for tests, which collects the effects of a plugin. */
import { useHost } from "./host.js";
import { decodeUtf8, encodeUtf8 } from "./utf8.js";

export class TestHost {
  /** Events that were lost since the last call. */
  lostEvents = 0n;
  #runInfo;
  #records = [];
  /** The number of the first event of the call within the stream. */
  #first = 0;
  #hasEffects = true;
  #labels = [];
  #changed = new Map();
  #outcome = { kept: [], alerts: [], lines: [], counters: {}, gauges: {}, observed: {}, logs: [] };

  constructor(runInfo) {
    this.#runInfo = { version: "0.1.0", source: "replay", ...runInfo };
  }

  /** Calls a function of the plugin with this host, and with these events. */
  call(records, run) {
    this.#records = records;
    this.#labels = records.map(({ labels }) => ({ ...labels }));
    this.#changed = new Map();
    const before = useHost(this.#functions());
    try {
      return run();
    } finally {
      useHost(before);
      this.#first += records.length;
      this.lostEvents = 0n;
    }
  }

  /** Calls a function whose effects the host ignores, except for log lines. */
  callWithoutEffects(run) {
    this.#hasEffects = false;
    const lost = this.lostEvents;
    try {
      return this.call([], run);
    } finally {
      this.#hasEffects = true;
      this.lostEvents = lost;
    }
  }

  /** Adds the events of the present call that the answer keeps. */
  addKept(records, { tag, val }, KeptRecord) {
    records.forEach((record, number) => {
      const isKept = tag === "all" || (tag === "bits" && (val[number >> 3] & (1 << (number & 7))) !== 0);
      if (isKept) {
        const bytes = this.#changed.get(number) ?? record.bytes;
        this.#outcome.kept.push(new KeptRecord(bytes, this.#labels[number], this.#first + number));
      }
    });
  }

  outcome() {
    return this.#outcome;
  }

  #functions() {
    const outcome = this.#outcome;
    const effect =
      (run) =>
      (...given) => {
        if (this.#hasEffects) {
          run(...given);
        }
      };
    return {
      run: () => Object.entries(this.#runInfo),
      lost: () => this.lostEvents,
      labels: () => columns(this.#records),
      log: (level, message) => outcome.logs.push({ level, message }),
      write: effect((bytes) => outcome.lines.push(...decodeUtf8(bytes).split("\n").slice(0, -1))),
      emit: effect(({ labels, event, ...alert }) => {
        const number = event === undefined ? undefined : this.#first + event;
        outcome.alerts.push({ ...alert, labels: Object.fromEntries(labels), event: number });
      }),
      count: effect((metric, by) => {
        outcome.counters[metric] = (outcome.counters[metric] ?? 0n) + by;
      }),
      gauge: effect((metric, value) => {
        outcome.gauges[metric] = value;
      }),
      observe: effect((metric, values) => {
        outcome.observed[metric] = [...(outcome.observed[metric] ?? []), ...values];
      }),
      annotate: effect((column) => this.#annotate(column)),
      change: effect((events, records) => {
        const size = records.length / events.length;
        events.forEach((number, place) => this.#changed.set(number, records.slice(place * size, (place + 1) * size)));
      }),
    };
  }

  #annotate({ key, events, ends, text }) {
    const bytes = encodeUtf8(text);
    let start = 0;
    events.forEach((number, index) => {
      this.#labels[number][key] = decodeUtf8(bytes.subarray(start, ends[index]));
      start = ends[index];
    });
  }
}

/** The labels of records as the host passes them. */
function columns(records) {
  const keys = new Set(records.flatMap(({ labels }) => Object.keys(labels)));
  return [...keys].map((key) => {
    const events = [...records.keys()].filter((number) => records[number].labels[key] !== undefined);
    const texts = events.map((number) => records[number].labels[key]);
    let end = 0;
    const ends = texts.map((text) => (end += encodeUtf8(text).length));
    return { key, events, ends, text: texts.join("") };
  });
}
