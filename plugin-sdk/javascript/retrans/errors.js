/** Errors as one line, with the place in the author's source. */

/** The places of the bundle's lines, which the build adds. Without a bundle, the stack has them. */
let places;

function placesOfBundle() {
  if (places === undefined && globalThis.retransBundle !== undefined) {
    const { sources, lines } = JSON.parse(globalThis.retransBundle);
    places = new Map(lines.map(([number, source, line]) => [number, { file: sources[source], line }]));
  }
  return places;
}

// "at name (file:1:2)" and "at file:1:2" in QuickJS and V8, "name@file:1:2" in SpiderMonkey.
const FRAMES = [/^\s*at (?:(.*?) \()?(.*?):([0-9]+):[0-9]+\)?$/, /^(.*?)@(.*?):([0-9]+):[0-9]+$/];

/** Name of a function, path of a source, and line; `undefined` for code of the engine. */
function frame(line) {
  const match = FRAMES[0].exec(line) ?? FRAMES[1].exec(line);
  if (match === null) {
    return undefined;
  }
  const [, name, file, number] = match;
  const bundled = placesOfBundle();
  if (bundled === undefined) {
    return { name, file: file.replace(/^file:\/\//, ""), line: Number(number) };
  }
  const place = bundled.get(Number(number));
  return place && { name, ...place };
}

function isOfSdk({ file }) {
  return file.startsWith("retrans/") || file.includes("/retrans/");
}

function place(error) {
  if (typeof error?.stack !== "string") {
    return "";
  }
  const frames = error.stack.split("\n").map(frame).filter(Boolean);
  const top = frames.find((one) => !isOfSdk(one));
  if (top === undefined) {
    return "";
  }
  // Methods are "Object.onEvent" in V8, and functions within others "onEvent/<" in SpiderMonkey.
  const name = /[A-Za-z_$][\w$]*(?=[^A-Za-z_$.]*$)/.exec(top.name ?? "")?.[0];
  return ` (${top.file.split("/").pop()}:${top.line}${name === undefined ? "" : ` in ${name}`})`;
}

/** The error as one line: `TypeError: x is null (plugin.js:12 in onEvent)`. */
export function describeError(error) {
  const isError = error instanceof Error;
  // "Error" says nothing.
  const name = isError && error.name !== "Error" ? `${error.name}: ` : "";
  const text = isError ? `${name}${error.message}` : String(error);
  return `${text.replace(/\s*\n\s*/g, " ").trim()}${place(error)}`.toWellFormed();
}

/** Calls a function of the plugin. What it throws is thrown on as one line, which is the error of the call. */
export function passErrors(call) {
  try {
    return call();
  } catch (error) {
    throw describeError(error);
  }
}
