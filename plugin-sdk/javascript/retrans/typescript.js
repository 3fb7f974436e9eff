/** Lets node import TypeScript, which node 20 cannot: `node --import ./retrans/typescript.js --test`. */
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { fileURLToPath } from "node:url";
import { isMainThread } from "node:worker_threads";

// node loads this module again, in the thread of its hooks.
if (isMainThread) {
  register(import.meta.url);
}

export async function load(url, context, next) {
  if (!url.endsWith(".ts")) {
    return next(url, context);
  }
  const { transform } = await import("esbuild");
  const file = fileURLToPath(url);
  const { code } = await transform(await readFile(file, "utf8"), {
    loader: "ts",
    sourcefile: file,
    sourcemap: "inline",
    target: "es2023",
  });
  return { format: "module", source: code, shortCircuit: true };
}
