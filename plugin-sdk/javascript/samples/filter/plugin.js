// Keeps the retransmits of one service, and drops all others.
import { definePlugin, setting } from "./retrans/index.js";

export default definePlugin({
  name: "{{name}}",
  summary: "Keeps the retransmits of one service, and drops all others",
  settings: {
    port: setting.integer(443, "Port of the peer.", { min: 0, max: 65535 }),
  },
  create({ port }) {
    return {
      onEvent(event) {
        return event.peer.port === port;
      },
    };
  },
});
