// Raises an alert for each peer whose retransmission timeout is long, and resolves it when it has been short again.
import { definePlugin, IpAddress, MILLISECOND, parseAddress, setting } from "./retrans/index.js";

/** The most peers that have an alert at the same time. Remote hosts choose the addresses of peers. */
const MAX_PEERS = 1_000;

export default definePlugin({
  name: "{{name}}",
  summary: "Raises an alert for each peer whose retransmission timeout is long",
  settings: {
    timeout: setting.duration("2s", "Timeout from which a peer gets an alert."),
    hold: setting.duration("60s", "How long a peer's timeouts must have been short before its alert is resolved."),
  },
  stateVersion: 1,
  create({ timeout, hold }) {
    /** When the timeout of each peer with an alert was last long, by the peer's address. */
    let active = new Map();

    const alert = (peer) => ({ name: "slow-peer", labels: { peer } });

    return {
      onEvent(event, out) {
        const { rto } = event;
        // Absent for attempts without a connection.
        if (rto === undefined || rto < timeout) {
          return;
        }
        const peer = event.peer.ip.toString();
        const { time } = event;
        const last = active.get(peer);
        if (last === undefined) {
          if (active.size >= MAX_PEERS) {
            return;
          }
          out.alert({ ...alert(peer), summary: `retransmission timeout of ${rto / MILLISECOND} ms` });
        }
        if (last === undefined || time > last) {
          active.set(peer, time);
        }
      },

      onTick(now, out) {
        const ended = [];
        active.forEach((last, peer) => {
          if (last > now) {
            // It is of an earlier boot: a replay may have several.
            last = now;
            active.set(peer, now);
          }
          if (last + hold <= now) {
            ended.push(parseAddress(peer));
          }
        });
        for (const peer of ended.sort(IpAddress.compare)) {
          out.alert({ ...alert(peer), state: "resolved", summary: "its timeouts are short again" });
          active.delete(peer.toString());
        }
      },

      saveState: () => active,
      restoreState(state) {
        active = state;
      },
    };
  },
});
