import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

import { noscript } from './build/noscript.ts';
import { TARGETS } from './build/targets.ts';
import { serviceWorker } from './build/service-worker.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const { version } = JSON.parse(readFileSync(here('./src/verify/package.json'), 'utf8')) as { version: string };

export default defineConfig({
  root: here('.'),
  // Every address in the bundle is relative, so that it runs below any path of any host.
  base: './',
  define: { __PAGE_VERSION__: JSON.stringify(version) },
  resolve: {
    alias: {
      // The source, so that the page needs no build of the package first and unused parts fall away.
      '@testamur/verify': here('./src/verify/index.ts'),
    },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  json: { namedExports: false },
  build: {
    target: TARGETS,
    cssTarget: TARGETS,
    outDir: 'dist',
    emptyOutDir: true,
    // A data: address would need a hole in the content security policy.
    assetsInlineLimit: 0,
    cssCodeSplit: true,
    // The polyfill is a script of its own that none of the targets needs: all of them load modules.
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    sourcemap: false,
    rolldownOptions: {
      // Safari before 16 has fields of classes with a fault, so they are lowered: to assignments, which cost nothing.
      transform: { assumptions: { setPublicClassFields: true } },
      output: {
        entryFileNames: 'assets/[name]-[hash].js',
        // Languages lie in a folder of their own: nobody loads more than one or two of them.
        chunkFileNames: (chunk) =>
          chunk.facadeModuleId?.includes('/strings/') === true
            ? 'assets/lang/[name]-[hash].js'
            : 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  plugins: [noscript(here('./src/ui/strings')), serviceWorker({ entry: here('./src/sw/sw.ts'), publicDir: here('./public') })],
});
