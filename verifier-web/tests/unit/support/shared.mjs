// Vectors of others, beside the checkout and never committed. What is not there is printed as skipped.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const checkout = fileURLToPath(new URL("../../../../", import.meta.url));
const folder = resolve(checkout, process.env.TESTAMUR_SHARED ?? "../shared");

/** The folder of somebody's vectors, or undefined when it is not there. `TESTAMUR_SHARED` is seen from the checkout. */
export function shared(name) {
  const found = join(folder, "vectors", name);
  if (existsSync(found)) return found;
  console.log(`skipped: ${found} is not there`);
  return undefined;
}

/** Every JSON file below a folder, read. */
export function jsonFiles(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? jsonFiles(path) : [JSON.parse(readFileSync(path, "utf8"))];
  });
}
