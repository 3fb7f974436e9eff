// Labels retransmits to networks of our own.
import { definePlugin, setting } from "./retrans/index.js";

export default definePlugin({
  name: "{{name}}",
  summary: "Labels retransmits to networks of our own",
  settings: {
    networks: setting.networks([], "The networks, such as 10.0.0.0/8: one, or a list."),
    name: setting.text("internal", "Value of the label `network`."),
  },
  create({ networks, name }) {
    return {
      onEvent(event) {
        const { ip } = event.peer;
        if (networks.some((network) => network.contains(ip))) {
          event.setLabel("network", name);
        }
      },
    };
  },
});
