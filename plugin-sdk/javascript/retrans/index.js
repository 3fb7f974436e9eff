/** The SDK of plugins for retrans-host. */
export { definePlugin } from "./plugin.js";
export { setting } from "./settings.js";
export { log, run } from "./host.js";
export { IpAddress, IpNetwork, parseAddress, parseNetwork } from "./ip.js";
export * from "./duration.js";
export * from "./names.js";
