// Prints a summary of the kinds of events in each interval.
import { definePlugin, setting } from "./retrans/index.js";

export default definePlugin({
  name: "{{name}}",
  summary: "Prints a summary of the kinds of events in each interval",
  settings: {
    every: setting.duration("10s", "Length of an interval.", { min: "1s" }),
  },
  stateVersion: 1,
  create({ every }) {
    let state = { kinds: new Map(), lost: 0n, next: undefined };

    function printSummary(now, out) {
      const { kinds, lost } = state;
      if (kinds.size === 0 && lost === 0n) {
        return;
      }
      const events = [...kinds.values()].reduce((sum, count) => sum + count, 0);
      // Names of kinds are ASCII: the order of characters is that of bytes.
      const sorted = Object.fromEntries([...kinds].sort(([a], [b]) => (a < b ? -1 : 1)));
      out.json({ type: "kind_summary", boot_time_ns: now, events, lost, kinds: sorted });
      out.count("summaries");
      state = { ...state, kinds: new Map(), lost: 0n };
    }

    return {
      onEvent({ kind }) {
        state.kinds.set(kind, (state.kinds.get(kind) ?? 0) + 1);
      },

      onLost(events) {
        state.lost += events;
      },

      onTick(now, out) {
        state.next ??= now + every;
        if (now < state.next) {
          return;
        }
        printSummary(now, out);
        state.next += ((now - state.next) / every + 1n) * every;
      },

      onFinish: printSummary,

      saveState: () => state,
      restoreState(saved) {
        state = saved;
      },
    };
  },
});
