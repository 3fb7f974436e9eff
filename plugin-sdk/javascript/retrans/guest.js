/** The exports of a component for a plugin. The build makes the module that calls this. */
import { passErrors } from "./errors.js";
import { useHost } from "./host.js";
import { createInstance, describePlugin } from "./plugin.js";
import { Runner } from "./runner.js";

/**
 * 64-bit numbers are bigint for plugins. In the contract they are in StarlingMonkey; in QuickJS they are numbers, which
 * are exact up to 2^53: as nanoseconds, 104 days.
 */
function adapt(imported) {
  let count;
  return {
    ...imported,
    lost: () => BigInt(imported.lost()),
    count(metric, by) {
      count ??=
        typeof imported.lost() === "bigint" ? imported.count : (name, exact) => imported.count(name, Number(exact));
      count(metric, by);
    },
  };
}

export function guest(plugin, imported) {
  useHost(adapt(imported));
  let runner;
  return {
    processor: {
      describe: () => describePlugin(plugin),
      configure: (settings) =>
        passErrors(() => {
          runner = new Runner(createInstance(plugin, JSON.parse(settings)), plugin.stateVersion);
        }),
      process: (count, recordSize, records) => passErrors(() => runner.process(count, recordSize, records)),
    },
    timer: {
      tick: (now) => passErrors(() => runner.tick(BigInt(now))),
      finish: (now) => passErrors(() => runner.finish(BigInt(now))),
    },
    state: {
      save: () => passErrors(() => runner.save()),
      restore: (version, state) => passErrors(() => runner.restore(version, state)),
    },
  };
}
