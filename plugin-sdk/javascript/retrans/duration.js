/** Times and durations: nanoseconds as a bigint, so that they are exact, and as text such as `1m 30s`. */

export const NANOSECOND = 1n;
export const MICROSECOND = 1000n;
export const MILLISECOND = 1_000_000n;
export const SECOND = 1_000_000_000n;
export const MINUTE = 60n * SECOND;
export const HOUR = 60n * MINUTE;
export const DAY = 24n * HOUR;

// A month has 30.44 days, and a year 365.25, as in the host.
const WEEK = 7n * DAY;
const MONTH = 2_630_016n * SECOND;
const YEAR = 31_557_600n * SECOND;

const UNITS = new Map(
  [
    [NANOSECOND, "nanos nsec ns"],
    [MICROSECOND, "usec us µs"],
    [MILLISECOND, "millis msec ms"],
    [SECOND, "seconds second secs sec s"],
    [MINUTE, "minutes minute mins min m"],
    [HOUR, "hours hour hrs hr h"],
    [DAY, "days day d"],
    [WEEK, "weeks week wks wk w"],
    [MONTH, "months month M"],
    [YEAR, "years year yrs yr y"],
  ].flatMap(([length, names]) => names.split(" ").map((name) => [name, length])),
);

/** The longest duration: 584 years, which 64 bits hold. */
const MOST = (1n << 64n) - 1n;

/** Nanoseconds of text such as `10s`, `250ms` or `1m 30s`. */
export function parseDuration(text) {
  if (text === "0") {
    return 0n;
  }
  const part = /\s*([0-9][0-9\s]*)(?:\.([0-9][0-9\s]*))?([A-Za-zµ]+)\s*/y;
  let sum = 0n;
  while (part.lastIndex < text.length || text === "") {
    const match = part.exec(text);
    const unit = match === null ? undefined : UNITS.get(match[3]);
    if (unit === undefined) {
      throw notDuration(text);
    }
    const [whole, fraction] = [match[1], match[2] ?? ""].map((digits) => digits.replace(/\s/g, ""));
    const scaled = BigInt(fraction) * unit;
    const divisor = 10n ** BigInt(fraction.length);
    sum += BigInt(whole) * unit + scaled / divisor;
    // Half a nanosecond is an error, not a rounded number. The host has whole seconds for parts of hours and longer.
    const step = unit >= HOUR ? SECOND : NANOSECOND;
    if (scaled % (divisor * step) !== 0n || (unit === NANOSECOND && fraction !== "") || sum > MOST) {
      throw notDuration(text);
    }
  }
  return sum;
}

function notDuration(text) {
  return new Error(`expected a duration such as "10s", "250ms" or "1m30s", not ${JSON.stringify(text)}`);
}

const PARTS = [
  [YEAR, "year", "s"],
  [MONTH, "month", "s"],
  [DAY, "day", "s"],
  [HOUR, "h", ""],
  [MINUTE, "m", ""],
  [SECOND, "s", ""],
  [MILLISECOND, "ms", ""],
  [MICROSECOND, "us", ""],
  [NANOSECOND, "ns", ""],
];

/** A duration as text, such as `1m 30s`. */
export function formatDuration(duration) {
  const words = [];
  let rest = duration;
  for (const [unit, name, plural] of PARTS) {
    const count = rest / unit;
    rest %= unit;
    if (count > 0n) {
      words.push(`${count}${name}${count > 1n ? plural : ""}`);
    }
  }
  return words.length === 0 ? "0s" : words.join(" ");
}
