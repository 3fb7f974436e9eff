/** The host's functions: those of the contract in a component, and those of a test elsewhere. */

const OUTSIDE = new Proxy(
  {},
  {
    get: (_, name) => () => {
      throw new Error(`${String(name)}: there is no host outside of a plugin's functions`);
    },
  },
);

export let host = OUTSIDE;

/** Uses these functions, and returns those before. */
export function useHost(functions) {
  const before = host;
  host = functions;
  return before;
}

function logger(level) {
  return (message) => host.log(level, String(message).toWellFormed());
}

/** Writes to the host's log, each message as a line of its own. */
export const log = Object.freeze({
  error: logger("error"),
  warn: logger("warn"),
  info: logger("info"),
  debug: logger("debug"),
  trace: logger("trace"),
});

/** What is known of the run. All but the version may be unknown before the first event. */
export function run() {
  const values = new Map(host.run());
  const source = values.get("source");
  return {
    host: values.get("host"),
    kernel: values.get("kernel"),
    isLive: source === undefined ? undefined : source === "live",
    version: values.get("version"),
  };
}
