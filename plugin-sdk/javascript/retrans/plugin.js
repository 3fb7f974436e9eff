import { readSettings, schemaOf } from "./settings.js";

const KNOWN = ["name", "version", "summary", "settings", "stateVersion", "create"];
const HANDLERS = ["onEvent", "onLost", "onTick", "onFinish", "saveState", "restoreState"];

function checkNames(of, known, object) {
  for (const name of Object.keys(object)) {
    if (!known.includes(name)) {
      throw new TypeError(`${of}: unknown ${name}; expected ${known.join(", ")}`);
    }
  }
}

/** Declares a plugin: checks the declaration, and returns it. */
export function definePlugin(declaration) {
  checkNames("definePlugin", KNOWN, declaration);
  const { name, version = "0.1.0", summary = "", settings = {}, stateVersion, create } = declaration;
  if (typeof name !== "string" || typeof create !== "function") {
    throw new TypeError("definePlugin: expected at least a name, and a function create");
  }
  const isVersion = stateVersion === undefined || (Number.isInteger(stateVersion) && stateVersion >= 0);
  if (!isVersion || stateVersion > 0x7fffffff) {
    throw new TypeError(`definePlugin: stateVersion: expected a number from 0 to 2147483647, not ${stateVersion}`);
  }
  // Of all settings, so that a wrong default fails when the plugin is built.
  const withDefaults = Object.entries(settings).filter(([, { fallback }]) => fallback !== undefined);
  readSettings(Object.fromEntries(withDefaults), {});
  return Object.freeze({ name, version, summary, settings, stateVersion, create });
}

/** What `describe` returns. */
export function describePlugin({ name, version, summary, settings }) {
  return [
    ["name", name],
    ["version", version],
    ["summary", summary],
    ["settings", JSON.stringify(schemaOf(settings))],
    // The engine imports all functions of the contract, also that of censuses.
    ["census", "optional"],
  ];
}

/** Makes an instance with settings from an object of JSON, and checks its functions. */
export function createInstance(plugin, given) {
  const instance = plugin.create(readSettings(plugin.settings, given));
  if (typeof instance !== "object" || instance === null) {
    throw new TypeError("create: expected an object with functions such as onEvent");
  }
  if (Object.getPrototypeOf(instance) === Object.prototype) {
    checkNames("create", HANDLERS, instance);
  }
  const hasState = typeof instance.saveState === "function" && typeof instance.restoreState === "function";
  const hasPart = instance.saveState !== undefined || instance.restoreState !== undefined;
  if (plugin.stateVersion === undefined ? hasPart : !hasState) {
    throw new TypeError("a plugin with state has stateVersion in definePlugin, and saveState and restoreState");
  }
  return instance;
}
