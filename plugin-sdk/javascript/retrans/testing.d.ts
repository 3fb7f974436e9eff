import type { Alert, Endpoint, Fields, Plugin } from "./index.js";
import type { FieldValues } from "./event.js";

/** An event of a test. It has the fields of an event, for reading. */
export interface TestRecord extends Readonly<Fields> {
  readonly peer: Pick<Endpoint, "ip" | "port">;
  readonly local: Pick<Endpoint, "ip" | "port">;
  readonly bytes: Uint8Array;
  readonly labels: Readonly<Record<string, string>>;
}

/** An event that the plugin has kept, as it is afterwards. */
export interface KeptRecord extends TestRecord {
  /** Its number within the stream, from 0. */
  readonly number: number;
}

/** An event with these fields; others have simple values, or are absent. */
export declare function record(
  fields?: FieldValues & {
    /** Address and port, such as `192.0.2.1:443` or `[2001:db8::1]:443`. */
    peer?: string;
    local?: string;
    /** Labels of the host and of earlier plugins. */
    labels?: Record<string, string>;
  },
): TestRecord;

export interface Step {
  readonly kind: string;
}

/** A tick at this time since boot: nanoseconds, or text such as `70s`. */
export declare function tick(now: bigint | string): Step;
/** The end of the stream. */
export declare function finish(now: bigint | string): Step;
/** Events that are lost before the next ones. */
export declare function lost(events: number | bigint): Step;
/** A new instance with the state of the old one, and with these settings if there are any. */
export declare function reload(settings?: Record<string, unknown>): Step;

export interface Outcome {
  kept: KeptRecord[];
  /** Alerts, each with the number of its event within the stream. */
  alerts: (Required<Omit<Alert, "labels" | "event">> & { labels: Record<string, string>; event: number | undefined })[];
  lines: string[];
  counters: Record<string, bigint>;
  gauges: Record<string, number>;
  observed: Record<string, number[]>;
  logs: { level: string; message: string }[];
}

/**
 * Runs the plugin over events and steps, in calls of 1, 7 and 256 events, and with a reload after each call if it has
 * state. The answers must be equal. `runInfo` is what `run()` tells: `{ host: "a", source: "live" }`.
 */
export declare function run(
  plugin: Plugin,
  steps: (TestRecord | Step | (TestRecord | Step)[])[],
  options?: { settings?: Record<string, unknown>; runInfo?: Record<string, string> },
): Outcome;
