// Keeps the page's own files for use without a network.
//
// - INV-SW-1: an answer of a node is never kept: requests to other origins, and all that is not a GET of one of the bundle's
//   files, of the page or of network.json, pass by untouched.
// - INV-SW-2: nobody gets an old page in silence. The page itself and network.json come from the host while it answers, and from
//   here only when it does not. So do the headers that come with them, which name the nodes that the page may ask.
// - INV-SW-3: files of two versions are never mixed. A version has a cache of its own, filled whole or not at all; files other
//   than the page carry a hash in their names.

declare const self: ServiceWorkerGlobalScope;
declare const __FILES__: readonly string[];
declare const __VERSION__: string;

const FILES = __FILES__;
const PREFIX = 'testamur-';
const VERSION = `${PREFIX}${__VERSION__}`;
/** The network's configuration belongs to the host and not to a version. */
const NETWORK = `${PREFIX}network`;
/** Milliseconds that the host gets to answer before what is kept is used: somebody is looking at an empty window. */
const HOST_TIMEOUT_MS = 4_000;

const scope = new URL(self.registration.scope);
const address = (file: string): string => new URL(file, scope).href;
const SHELL = address('index.html');
const CONFIG = address('network.json');
const known = new Set(FILES.map(address));

self.addEventListener('install', (event) => {
  event.waitUntil(keepFiles());
});

self.addEventListener('activate', (event) => {
  event.waitUntil(dropOthers());
});

// Pages ask whether they are of this version, and say when their user agreed to it.
self.addEventListener('message', (event) => {
  const message: unknown = event.data;
  if (message === 'activate') void self.skipWaiting();
  else if (typeof message === 'string') event.ports[0]?.postMessage(known.has(message));
});

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET') return;
  const url = new URL(request.url);
  if (url.origin !== scope.origin) return;
  url.search = '';
  url.hash = '';
  if (url.href === CONFIG) event.respondWith(config(request));
  else if (request.mode === 'navigate') {
    if (isPage(url)) event.respondWith(page(request));
  } else if (known.has(url.href)) event.respondWith(file(url.href, request));
});

/** The page, or a share link in which somebody's mail program wrote `%23` for `#`. */
function isPage(url: URL): boolean {
  return url.href === scope.href || url.href === SHELL || url.href.startsWith(`${scope.href}%23`);
}

/** All files or none: with one missing the installation fails, and the version in use goes on. */
async function keepFiles(): Promise<void> {
  const cache = await caches.open(VERSION);
  await cache.addAll(FILES.map((name) => new Request(address(name), { cache: 'no-cache' })));
  // So that a page that has been opened once works offline.
  await config(new Request(CONFIG, { cache: 'no-cache' })).catch(() => undefined);
}

async function dropOthers(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== VERSION && name !== NETWORK);
  await Promise.all(old.map((name) => caches.delete(name)));
  await self.clients.claim();
}

async function file(key: string, request: Request): Promise<Response> {
  const cache = await caches.open(VERSION);
  return (await cache.match(key)) ?? fetch(request);
}

async function page(request: Request): Promise<Response> {
  const cache = await caches.open(VERSION);
  const kept = await cache.match(SHELL);
  const response = await fromHost(request, kept);
  if (response === undefined || response.status >= 500) return kept ?? response ?? Response.error();
  // Of this version: kept with the headers of today.
  if (response.ok && response.type === 'basic' && (await isOfThisVersion(response.clone()))) {
    await cache.put(SHELL, response.clone());
  }
  return response;
}

/** Whether all that a page loads at its start is of this version. */
async function isOfThisVersion(response: Response): Promise<boolean> {
  const assets = [...(await response.text()).matchAll(/"\.\/(assets\/[^"]+)"/g)];
  return assets.length > 0 && assets.every(([, name]) => name !== undefined && known.has(address(name)));
}

async function config(request: Request): Promise<Response> {
  const cache = await caches.open(NETWORK);
  const kept = await cache.match(CONFIG);
  const response = await fromHost(request, kept);
  if (response === undefined || response.status >= 500) return kept ?? response ?? Response.error();
  if (response.ok) await cache.put(CONFIG, response.clone());
  // A network that the host took away must not live on from a cache.
  else await cache.delete(CONFIG);
  return response;
}

/** What the host answers; nothing when it does not, or not in time and there is something else to show. */
async function fromHost(request: Request, kept: Response | undefined): Promise<Response | undefined> {
  const answer = fetch(request).catch(() => undefined);
  if (kept === undefined) return answer;
  const late = new Promise<undefined>((resolve) => {
    setTimeout(resolve, HOST_TIMEOUT_MS, undefined);
  });
  return Promise.race([answer, late]);
}

export {};
