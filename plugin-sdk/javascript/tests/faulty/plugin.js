// Fails in one of several ways: for tests of what the host and the SDK make of it.
import { definePlugin, setting } from "./retrans/index.js";

const FAULTS = {
  exception() {
    return null.port;
  },
  loop() {
    for (;;);
  },
  memory() {
    const all = [];
    for (;;) {
      all.push(new Uint8Array(65536).fill(1));
    }
  },
};

export default definePlugin({
  name: "{{name}}",
  summary: "Fails in one of several ways",
  settings: {
    fault: setting.choice(Object.keys(FAULTS), "exception", "How it fails."),
    after: setting.integer(0, "Number of events before the fault.", { min: 0 }),
  },
  create({ fault, after }) {
    let seen = 0;
    return {
      onEvent() {
        seen += 1;
        if (seen > after) {
          FAULTS[fault]();
        }
      },
    };
  },
});
