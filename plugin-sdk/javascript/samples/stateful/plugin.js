// Prints how many retransmits of each kind there were.
import { definePlugin, setting } from "./retrans/index.js";

export default definePlugin({
  name: "{{name}}",
  summary: "Prints how many retransmits of each kind there were",
  settings: {
    every: setting.duration("10s", "Length of an interval.", { min: "1s" }),
  },
  stateVersion: 1,
  create({ every }) {
    let kinds = new Map();
    let lost = 0n;
    /** The end of the interval; 0 before the first tick. */
    let next = 0n;

    function printSummary(now, out) {
      if (kinds.size === 0 && lost === 0n) {
        return;
      }
      const events = [...kinds.values()].reduce((sum, count) => sum + count, 0);
      // Names of kinds are ASCII: the order of characters is that of bytes.
      const sorted = Object.fromEntries([...kinds].sort(([a], [b]) => (a < b ? -1 : 1)));
      out.json({ type: "kind_summary", boot_time_ns: now, events, lost, kinds: sorted });
      out.count("summaries");
      kinds = new Map();
      lost = 0n;
    }

    return {
      onEvent({ kind }) {
        kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
      },

      onLost(events) {
        lost += events;
      },

      onTick(now, out) {
        // A time too far ahead is that of an earlier boot: a replay may have several.
        if (next === 0n || next > now + every) {
          next = now + every;
        }
        if (now < next) {
          return;
        }
        printSummary(now, out);
        next += ((now - next) / every + 1n) * every;
      },

      onFinish: printSummary,

      saveState: () => ({ kinds, lost, next }),
      restoreState(state) {
        ({ kinds, lost, next } = state);
      },
    };
  },
});
