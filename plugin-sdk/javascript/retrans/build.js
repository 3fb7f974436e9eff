/**
 * Builds the component: `node retrans/build.js [--engine quickjs|starlingmonkey]` in the directory of a project.
 *
 * esbuild makes one module of the plugin and of the SDK, and the engine's tool makes a component of it. The file has
 * the name of the package.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { SourceMap } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { fileURLToPath, pathToFileURL } from "node:url";

const SDK = path.dirname(fileURLToPath(import.meta.url));
const WIT = path.join(SDK, "plugin.wit");
const STARLINGMONKEY = "@bytecodealliance/componentize-js";
const STARLINGMONKEY_VERSION = "0.23.0";
const SOURCES = ["plugin.js", "plugin.mjs", "plugin.ts"];

class BuildError extends Error {}

/** Imports a tool, with an error that says how to install it. */
async function tool(name, install) {
  try {
    return await import(name);
  } catch (error) {
    if (error.code !== "ERR_MODULE_NOT_FOUND") {
      throw error;
    }
    throw new BuildError(`the package ${name} is missing: ${install}`);
  }
}

/** One module with all that `code` imports. */
async function bundle(esbuild, code) {
  try {
    const { outputFiles } = await esbuild.build({
      stdin: { contents: code, resolveDir: process.cwd(), sourcefile: "retrans/entry.js" },
      bundle: true,
      charset: "utf8",
      external: ["retrans:*"],
      format: "esm",
      legalComments: "none",
      logLevel: "silent",
      outfile: "bundle.js",
      platform: "neutral",
      mainFields: ["module", "main"],
      conditions: ["worker", "import"],
      sourcemap: "external",
      target: "es2023",
      write: false,
    });
    const [map, module] = outputFiles;
    return { text: module.text, map: JSON.parse(map.text) };
  } catch (error) {
    const [first] = error.errors ?? [];
    if (first === undefined) {
      throw error;
    }
    const { file, line, column } = first.location ?? {};
    throw new BuildError(file === undefined ? first.text : `${file}:${line}:${column + 1}: ${first.text}`);
  }
}

/** The plugin's declaration, by which the build finds its world. */
async function declarationOf(esbuild, source) {
  const directory = await mkdtemp(path.join(tmpdir(), "retrans-"));
  try {
    const { text, map } = await bundle(esbuild, `export { default } from "./${source}";`);
    const file = path.join(directory, "plugin.mjs");
    // An error has the places of the sources.
    process.setSourceMapsEnabled(true);
    const sources = map.sources.map((name) => pathToFileURL(name).href);
    const inline = Buffer.from(JSON.stringify({ ...map, sources })).toString("base64");
    await writeFile(file, `${text}\n//# sourceMappingURL=data:application/json;base64,${inline}\n`);
    const { default: plugin } = await import(pathToFileURL(file));
    if (typeof plugin?.create !== "function") {
      throw new BuildError(`${source}: expected \`export default definePlugin({ … })\``);
    }
    return plugin;
  } catch (error) {
    throw error instanceof BuildError ? error : new BuildError(`${source}: ${error.stack}`);
  } finally {
    await rm(directory, { recursive: true });
  }
}

/**
 * Code for the end of the bundle, with the places of its lines: number in the bundle, number of the source, number
 * there. Errors are then shown with the author's file and line. The SDK's own lines are left out.
 */
function places({ text, map }) {
  const sourceMap = new SourceMap(map);
  const sources = [];
  const lines = [];
  for (const [index, line] of text.split("\n").entries()) {
    const { originalSource, originalLine } = sourceMap.findEntry(index, line.search(/\S/));
    if (originalSource === undefined || originalSource.startsWith("retrans/")) {
      continue;
    }
    if (!sources.includes(originalSource)) {
      sources.push(originalSource);
    }
    lines.push([index + 1, sources.indexOf(originalSource), originalLine + 1]);
  }
  return `\nglobalThis.retransBundle = ${JSON.stringify(JSON.stringify({ sources, lines }))};\n`;
}

async function withQuickjs(source, world) {
  const { componentize } = await tool("componentize-qjs", "npm install");
  const { component } = await componentize({ witPath: WIT, jsSource: source, world, sync: true });
  return component;
}

async function withStarlingmonkey(source, world) {
  const install = `npm install --save-dev --save-exact ${STARLINGMONKEY}@${STARLINGMONKEY_VERSION}`;
  const { componentize } = await tool(STARLINGMONKEY, install);
  const directory = await mkdtemp(path.join(tmpdir(), "retrans-"));
  try {
    const sourcePath = path.join(directory, "bundle.js");
    await writeFile(sourcePath, source);
    const disableFeatures = ["random", "clocks", "http", "fetch-event"];
    const { component } = await componentize({ sourcePath, witPath: WIT, worldName: world, disableFeatures });
    return component;
  } finally {
    await rm(directory, { recursive: true });
  }
}

const ENGINES = { quickjs: withQuickjs, starlingmonkey: withStarlingmonkey };

async function build() {
  const { values } = parseArgs({ options: { engine: { type: "string", default: "quickjs" } } });
  const componentize = Object.hasOwn(ENGINES, values.engine) ? ENGINES[values.engine] : undefined;
  if (componentize === undefined) {
    throw new BuildError(`--engine ${values.engine}: expected ${Object.keys(ENGINES).join(" or ")}`);
  }
  const source = SOURCES.find((file) => existsSync(file));
  if (source === undefined) {
    throw new BuildError(`there is no ${SOURCES.join(", ")} in ${process.cwd()}`);
  }
  const { name } = JSON.parse(await readFile("package.json", "utf8"));
  const esbuild = await tool("esbuild", "npm install");
  const plugin = await declarationOf(esbuild, source);
  const world = plugin.stateVersion === undefined ? "ticking-plugin" : "stateful-plugin";
  const exports = plugin.stateVersion === undefined ? "processor, timer" : "processor, timer, state";
  const bundled = await bundle(
    esbuild,
    `import * as host from "retrans:plugin/host@0.1.0";
import plugin from "./${source}";
import { guest } from "./retrans/guest.js";
export const { ${exports} } = guest(plugin, host);
`,
  );
  const component = await componentize(bundled.text + places(bundled), world);
  await writeFile(`${name}.wasm`, component);
  console.log(`made ${name}.wasm: ${values.engine}, world ${world}, ${(component.length / 1e6).toFixed(1)} MB`);
}

try {
  await build();
} catch (error) {
  console.error(`build: ${error instanceof BuildError ? error.message : error.stack}`);
  process.exitCode = 1;
}
