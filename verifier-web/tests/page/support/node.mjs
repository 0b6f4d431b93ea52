// Nodes that do not do what they should, in front of one that does: what a page must notice.

import { createServer } from "node:http";

/** What a browser needs to read another origin's answer, and what it asks before. */
const CORS = { "access-control-allow-origin": "*", "access-control-allow-headers": "*", "access-control-allow-methods": "GET, HEAD, OPTIONS" };

/** A server on a port of its own. `answer(request) → {status, type?, body} | undefined`; none is never answered. */
export function serve(answer) {
  const asked = [];
  const server = createServer(async (request, response) => {
    if (request.method === "OPTIONS") return response.writeHead(204, CORS).end();
    asked.push(request.url);
    const found = await answer(request);
    if (found === undefined) return;
    const headers = { ...CORS, "content-type": found.type ?? "application/json" };
    response.writeHead(found.status ?? 200, headers).end(found.body);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const url = `http://127.0.0.1:${server.address().port}`;
      const stop = () => {
        server.closeAllConnections();
        return new Promise((done) => server.close(done));
      };
      resolve({ url, asked, stop });
    });
  });
}

async function pass(target, request) {
  const response = await fetch(target + request.url, { headers: { accept: request.headers.accept ?? "*/*" } });
  const body = Buffer.from(await response.arrayBuffer());
  return { status: response.status, type: response.headers.get("content-type") ?? undefined, body };
}

/** A proxy: `alter(answer, request)` gives what is answered in the place of a node's own answer. */
export const proxy = (target, alter) => serve(async (request) => alter(await pass(target, request), request));

/** Changes the JSON of an answer that succeeded. */
function json(change) {
  return (answer, request) => {
    if (answer.status !== 200 || !answer.type?.includes("json")) return answer;
    const value = JSON.parse(answer.body.toString());
    change(value, request);
    return { ...answer, body: Buffer.from(JSON.stringify(value)) };
  };
}

/** Evidence stands in an answer as the answer itself or as a member of it. */
const evidenceOf = (value) => (Array.isArray(value.state) ? value : value.evidence);

/** Says of a withdrawn diploma that it was not: other bits in every list. */
export const withAlteredLists = (target) =>
  proxy(target, (answer, request) => {
    if (answer.status !== 200 || !/\/bits|\/attachments\//.test(request.url)) return answer;
    return { ...answer, body: Buffer.alloc(answer.body.length) };
  });

/** Leaves out what the state says of status lists, as if there were nothing. */
export const withoutStatus = (target) =>
  proxy(
    target,
    json((value) => {
      const evidence = evidenceOf(value);
      if (evidence) evidence.state = evidence.state.filter((proven) => !proven.key.startsWith("status/"));
    }),
  );

/** Says that a list was never published: the key with no value. */
export const withAbsentStatus = (target) =>
  proxy(
    target,
    json((value) => {
      for (const proven of evidenceOf(value)?.state ?? []) if (proven.key.startsWith("status/")) delete proven.value;
    }),
  );

/** Changes a value of the state: the issuer's name. */
export const withChangedValues = (target) =>
  proxy(
    target,
    json((value) => {
      for (const proven of evidenceOf(value)?.state ?? []) {
        if (typeof proven.value === "string") proven.value = proven.value.replaceAll("University", "Academy");
      }
    }),
  );

/** Remembers what a node answers until `freeze()`, and from then on says nothing newer: a state from before a revocation. */
export async function withReplays(target) {
  const remembered = new Map();
  let frozen = false;
  const node = await proxy(target, (answer, request) => {
    if (!frozen) remembered.set(request.url, answer);
    return remembered.get(request.url) ?? { status: 503, body: "{}" };
  });
  return { ...node, freeze: () => (frozen = true) };
}

/** Takes connections and never answers. */
export const silent = () => serve(() => undefined);

/** Answers everything with an error. */
export const broken = () => serve(() => ({ status: 500, body: '{"title":"broken"}' }));

/** Answers everything with something that is no answer. */
export const babbling = () => serve(() => ({ status: 200, body: "<html>It works!</html>", type: "text/html" }));
