// A real network, and the page beside it: the processes of the binary under test, in a folder of their own.

import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const REPOSITORY = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../../..");

/** The binary under test. */
export const BINARY =
  process.env.TESTAMUR_BIN ??
  path.join(
    process.env.CARGO_TARGET_DIR ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(process.env.HOME, ".cache"), "testamur/target"),
    "release/testamur",
  );

if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it with cargo build --release, or name another in TESTAMUR_BIN`);

const run = promisify(execFile);

/** Whether nobody listens on a port of loopback. */
const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

/** A base port such that a network's other ports were free a moment ago, below those that outgoing connections take (32,768). */
async function basePort() {
  for (;;) {
    const base = 11_000 + Math.floor(Math.random() * 20_000);
    const ports = [0, 1, 2, 3, 10, 11].map((of) => base + of);
    for (const of of [0, 1, 2, 3]) ports.push(base + 1_000 + of, base - 1_000 + of, base - 900 + of);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
}

/** A port that was free a moment ago. */
export async function freePort() {
  for (;;) {
    const port = 11_000 + Math.floor(Math.random() * 21_000);
    if (await isFree(port)) return port;
  }
}

/** Waits until a process has printed what is looked for, and gives it. */
function printed(child, what, found) {
  return new Promise((resolve, reject) => {
    let out = "";
    let err = "";
    const timer = setTimeout(() => reject(new Error(`${what} was not ready within 300 s:\n${out}\n${err}`)), 300_000);
    child.stderr.on("data", (data) => (err += data));
    child.stdout.on("data", (data) => {
      out += data;
      const value = found(out);
      if (value !== undefined) {
        clearTimeout(timer);
        resolve(value);
      }
    });
    child.once("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`${what} ended with ${code}:\n${out}\n${err}`));
    });
  });
}

function json(out) {
  try {
    return JSON.parse(out);
  } catch {
    return undefined;
  }
}

/** Waits until a network's world is there: its fifty diplomas, and the file that is written last. */
async function seeded(dir, child) {
  const last = ["world/world.json", "world/university/diplomas/2026-0050.sd-jwt.receipt.json"].map((name) => path.join(dir, name));
  const until = Date.now() + 300_000;
  while (!last.every((file) => existsSync(file))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the network ended with ${child.exitCode ?? child.signalCode} while its world was made`);
    if (Date.now() > until) throw new Error(`${dir} has no diplomas after five minutes`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A development network of four validators with its world: fifty diplomas of a university, and a second person's approval. */
export async function startNetwork(tries = 5) {
  const root = await mkdtemp(path.join(tmpdir(), "testamur-page-"));
  const home = path.join(root, "home");
  const dir = path.join(root, "network");
  const env = { ...process.env, TESTAMUR_HOME: home };
  const child = spawn(BINARY, ["--json", "dev", "--dir", dir, "--base-port", String(await basePort())], { env });
  const pages = [];
  const stop = async () => {
    for (const page of pages) await end(page);
    await end(child);
    await rm(root, { recursive: true, force: true });
  };
  let started;
  try {
    started = await printed(child, "the network", json);
    await seeded(dir, child);
  } catch (error) {
    await stop();
    // Somebody else took a port in between.
    if (tries > 1 && /dev\.port/.test(error.message)) return startNetwork(tries - 1);
    throw error;
  }
  const diplomas = path.join(dir, "world/university/diplomas");
  return {
    root,
    dir,
    home,
    diplomas,
    started,
    nodes: started.nodes.map((node) => node.api),
    trust: path.join(dir, "trust.json"),
    university: path.join(dir, "world/university"),
    stop,
    /** Runs a command of the binary on this network; what it prints, as JSON where it is. */
    async testamur(...args) {
      try {
        const { stdout } = await run(BINARY, ["--json", ...args], { env, maxBuffer: 64 << 20 });
        return { code: 0, out: json(stdout) ?? stdout };
      } catch (error) {
        if (typeof error.code !== "number") throw error;
        return { code: error.code, out: json(error.stdout) ?? error.stdout, err: error.stderr };
      }
    },
    /** The bytes of a diploma's file. */
    file: (name) => readFile(path.join(diplomas, name)),
    /** Withdraws a diploma: one person proposes, another approves. Final when it returns. */
    async revoke(award) {
      const home = path.join(dir, "world/university");
      if (!this.hasStaff) {
        for (const name of ["anna", "boris"]) await this.must("diploma", "staff", "add", name, "--home", home);
        this.hasStaff = true;
      }
      const { change } = await this.must("diploma", "revoke", award, "--reason", "issued-in-error", "--by", "anna", "--home", home);
      await this.must("diploma", "approve", change, "--by", "boris", "--home", home);
    },
    /** Runs a command that must succeed. */
    async must(...args) {
      const { code, out, err } = await this.testamur(...args);
      if (code !== 0) throw new Error(`testamur ${args.join(" ")} ended with ${code}: ${err}`);
      return out;
    },
    /** Serves the page for a trust file and nodes; gives its address. */
    async page({ trust = path.join(dir, "trust.json"), nodes = started.nodes.map((node) => node.api) } = {}) {
      const page = await startPage({ trust, nodes, env });
      pages.push(page.child);
      return page.url;
    },
    /** A trust file of other content, beside the network's. */
    async write(name, bytes) {
      const file = path.join(root, name);
      await writeFile(file, bytes);
      return file;
    },
  };
}

/** Starts several things at once; when one of them fails, the others are stopped: nothing outlives a test. */
export async function all(...starting) {
  const settled = await Promise.allSettled(starting);
  const failed = settled.find(({ status }) => status === "rejected");
  if (failed) {
    for (const { value } of settled) await (value?.stop ?? value?.close)?.call(value);
    throw failed.reason;
  }
  return settled.map(({ value }) => value);
}

/** Serves the page on a port of its own. */
export async function startPage({ trust, nodes, env = process.env }) {
  const listen = `127.0.0.1:${await freePort()}`;
  const args = ["page", "--listen", listen, "--network", trust, ...nodes.flatMap((node) => ["--node", node])];
  // While one works on the page: a build of it in the place of the one inside the binary.
  if (process.env.TESTAMUR_BUNDLE) args.push("--bundle", process.env.TESTAMUR_BUNDLE);
  const child = spawn(BINARY, args, { env });
  const url = `http://${listen}/`;
  await printed(child, "the page", (out) => (out.includes(url.slice(0, -1)) ? url : undefined));
  return { child, url };
}

/** Ends a process that was started here, and waits for it. */
export async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await ended;
  clearTimeout(timer);
}
