import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { build, type Plugin } from 'vite';

import { TARGETS } from './targets.ts';

/** Where the plugin finds things. */
export interface ServiceWorkerOptions {
  /** The worker's source. */
  readonly entry: string;
  /** The folder whose files are copied into the bundle as they are. */
  readonly publicDir: string;
}

/**
 * Makes `sw.js` from the worker's source, with the list of the bundle's files and the version that follows from their bytes.
 *
 * The version is no number that somebody must remember to raise: another byte in any file is another version, so a browser
 * sees another worker, and the page can tell that a newer one is there.
 */
export function serviceWorker(options: ServiceWorkerOptions): Plugin {
  return {
    name: 'testamur-service-worker',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      async handler(_, bundle) {
        const files = new Map<string, Uint8Array>();
        for (const [name, output] of Object.entries(bundle)) {
          const source = output.type === 'chunk' ? output.code : output.source;
          files.set(name, typeof source === 'string' ? new TextEncoder().encode(source) : source);
        }
        for (const path of filesBelow(options.publicDir)) {
          files.set(relative(options.publicDir, path).split(sep).join('/'), readFileSync(path));
        }
        const names = [...files.keys()].sort();
        const lines = names.map((name) => `${sha256(files.get(name) ?? new Uint8Array())}  ${name}\n`);
        const version = sha256(new TextEncoder().encode(lines.join(''))).slice(0, 16);
        const code = await compile(options.entry, names, version);
        this.emitFile({ type: 'asset', fileName: 'sw.js', source: code });
      },
    },
  };
}

/** One classic script: Firefox 102 runs no service worker that is a module. */
async function compile(entry: string, files: string[], version: string): Promise<string> {
  const result = await build({
    configFile: false,
    logLevel: 'warn',
    publicDir: false,
    define: { __FILES__: JSON.stringify(files), __VERSION__: JSON.stringify(version) },
    build: {
      write: false,
      target: TARGETS,
      reportCompressedSize: false,
      lib: { entry, formats: ['iife'], name: 'testamur', fileName: 'sw' },
    },
  });
  const outputs = (Array.isArray(result) ? result : [result]).flatMap((one) => ('output' in one ? one.output : []));
  const chunk = outputs.find((output) => output.type === 'chunk');
  if (chunk === undefined) throw new Error('the service worker did not compile');
  return chunk.code;
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? filesBelow(path) : [path];
    })
    .sort();
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
