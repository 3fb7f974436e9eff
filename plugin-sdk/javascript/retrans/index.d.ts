import type { Fields } from "./event.js";
import type { IpAddress, IpNetwork } from "./ip.js";

export * from "./ip.js";
export * from "./names.js";
export type { Fields } from "./event.js";

/** Durations in nanoseconds. */
export declare const NANOSECOND: bigint;
export declare const MICROSECOND: bigint;
export declare const MILLISECOND: bigint;
export declare const SECOND: bigint;
export declare const MINUTE: bigint;
export declare const HOUR: bigint;
export declare const DAY: bigint;

/** Nanoseconds of text such as `10s`, `250ms` or `1m 30s`. */
export declare function parseDuration(text: string): bigint;
/** A duration as text, such as `1m 30s`. */
export declare function formatDuration(duration: bigint): string;

/** One end of a connection. */
export interface Endpoint {
  readonly ip: IpAddress;
  readonly port: number;
  /** `192.0.2.1:443` or `[2001:db8::1]:443`. */
  toString(): string;
}

/**
 * One retransmit. Its properties read the record each time. The object is used again for the next event: keep values,
 * not the event.
 */
export interface Event extends Fields {
  /** The other end of the connection. */
  readonly peer: Endpoint;
  /** This machine's end. */
  readonly local: Endpoint;
  /** The label with this key, set by this plugin, an earlier one or the host. */
  label(key: string): string | undefined;
  /** All labels, in the order of their keys. */
  labels(): Map<string, string>;
  /** Sets a label. It replaces a label with the same key, also one of an earlier plugin. */
  setLabel(key: string, value: unknown): void;
}

export interface Alert {
  /** Name of the condition, the same for every alert of that kind. Name and labels identify an alert. */
  name: string;
  /** `warning` by default. */
  severity?: "info" | "warning" | "critical";
  /** `firing` by default. */
  state?: "firing" | "resolved";
  /** One line of text for people. */
  summary?: unknown;
  /** Subject of the alert. Values become text. */
  labels?: Record<string, unknown>;
  /** Whether an alert of `onEvent` is about that event; it is by default. */
  event?: boolean;
}

/** Collects alerts, lines and metrics. They take effect when the call of the host has succeeded. */
export interface Output {
  /** Raises or resolves an alert. */
  alert(alert: Alert): void;
  /** Writes a line to the host's standard output. */
  line(text: unknown): void;
  /** Writes a value as one line of JSON. A bigint becomes a number with all its digits. */
  json(value: unknown): void;
  /** Adds to one of the plugin's own counters. */
  count(metric: string, by?: number | bigint): void;
  /** Sets one of the plugin's own gauges. */
  gauge(metric: string, value: number | bigint): void;
  /** Adds a value to one of the plugin's own histograms. */
  observe(metric: string, value: number | bigint): void;
}

/** Writes a message as a line. */
type Write = (message: unknown) => void;

/** Writes to the host's log. */
export declare const log: {
  readonly error: Write;
  readonly warn: Write;
  readonly info: Write;
  readonly debug: Write;
  readonly trace: Write;
};

/** What is known of the run. All but the version may be unknown before the first event. */
export declare function run(): {
  /** The name of the machine whose events these are. */
  host?: string;
  /** The release of its kernel. */
  kernel?: string;
  /** Whether the events come from the kernel now; false in a replay. */
  isLive?: boolean;
  /** The version of the program that runs the plugin. */
  version?: string;
};

/** A setting whose values are of this type. */
export interface Setting<T> {
  readonly schema: object;
  read(value: unknown): T;
}

/** A bound is included. */
interface Bounds<T> {
  min?: T;
  max?: T;
}

/** Kinds of settings: each with its default, or `undefined` if it must be given, and its documentation. */
export declare const setting: {
  integer(fallback: number | undefined, description: string, bounds?: Bounds<number>): Setting<number>;
  number(fallback: number | undefined, description: string, bounds?: Bounds<number>): Setting<number>;
  boolean(fallback: boolean | undefined, description: string): Setting<boolean>;
  text(fallback: string | undefined, description: string): Setting<string>;
  /** One of several words. */
  choice<const Word extends string>(
    words: readonly Word[],
    fallback: NoInfer<Word> | undefined,
    description: string,
  ): Setting<Word>;
  /** A duration in text, such as `1m 30s`; a bigint of nanoseconds for the plugin. */
  duration(fallback: string | undefined, description: string, bounds?: Bounds<string>): Setting<bigint>;
  address(fallback: string | undefined, description: string): Setting<IpAddress>;
  network(fallback: string | undefined, description: string): Setting<IpNetwork>;
  /** One network, or a list. */
  networks(fallback: string | readonly string[] | undefined, description: string): Setting<IpNetwork[]>;
  /** One text, or a list. */
  texts(fallback: string | readonly string[] | undefined, description: string): Setting<string[]>;
};

/** The functions of an instance. All are optional. */
export interface Instance {
  /** Processes an event. Returns false to drop it; true or nothing keeps it. */
  onEvent?(event: Event, out: Output): boolean | void;
  /** Called when events were lost, before the events that follow. */
  onLost?(events: bigint, out: Output): void;
  /** Called for every second of the stream, with the time since boot in nanoseconds. */
  onTick?(now: bigint, out: Output): void;
  /** Called at the end of the stream. */
  onFinish?(now: bigint, out: Output): void;
}

/** An instance whose state survives faults and new versions. */
export interface StatefulInstance extends Instance {
  /** The state: what JSON can have, and bigint, Map, Set and Uint8Array. */
  saveState(): unknown;
  /** Takes a state that `saveState` has returned, in an instance with this `stateVersion`. */
  restoreState(state: any, version: number): void;
}

interface Declaration<Settings extends Record<string, Setting<any>>> {
  name: string;
  version?: string;
  summary?: string;
  settings?: Settings;
}

type Values<Settings> = { readonly [Name in keyof Settings]: Settings[Name] extends Setting<infer T> ? T : never };

/** A plugin that `definePlugin` has checked. */
export interface Plugin {
  readonly name: string;
  readonly stateVersion: number | undefined;
}

/** Declares a plugin, with the functions that `create` returns. With `stateVersion` it has state. */
export declare function definePlugin<Settings extends Record<string, Setting<any>> = {}>(
  plugin: Declaration<Settings> & { stateVersion: number; create(settings: Values<Settings>): StatefulInstance },
): Plugin;
export declare function definePlugin<Settings extends Record<string, Setting<any>> = {}>(
  plugin: Declaration<Settings> & { stateVersion?: undefined; create(settings: Values<Settings>): Instance },
): Plugin;
