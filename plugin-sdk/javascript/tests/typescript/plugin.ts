// Uses most of the SDK, so that the types are checked.
import { definePlugin, formatDuration, log, run, SECOND, setting, TcpFlags } from "./retrans/index.js";
import type { KindName } from "./retrans/index.js";
import { longest } from "./longest.ts";

export default definePlugin({
  name: "{{name}}",
  summary: "{{summary}}",
  settings: {
    by: setting.choice(["peer", "kind"], "peer", "What to show."),
    least: setting.duration("1s", "Shortest timeout to show."),
    mark: setting.integer(undefined, "A required mark.", { min: 1, max: 9 }),
  },
  create({ by, least, mark }) {
    const word: "peer" | "kind" = by;
    const kinds = new Set<KindName>();
    return {
      onEvent(event, out) {
        kinds.add(event.kind);
        event.mark = mark;
        if (event.rto !== undefined && longest(event.rto, SECOND) >= least) {
          const isSyn = ((event.tcpFlagsNumber ?? 0) & TcpFlags.SYN) !== 0;
          out.line(`${word} ${event.peer} ${formatDuration(event.rto)} ${isSyn} ${run().host ?? "unknown"}`);
        }
        return event.kind !== "syn";
      },
      onFinish() {
        log.info([...kinds].join());
      },
    };
  },
});
