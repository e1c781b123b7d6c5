// Serves the built page and bundles on the loopback: node serve.mjs PAGE BUNDLE... [--port N]
//
// What it adds to a plain file server: the headers that give WebAssembly its threads, a Content-Security-Policy that
// forbids every other address, byte ranges so that a broken download goes on, gzip for all but weights, which it hardly
// makes smaller, and bundles/index.json.

import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { createServer } from "node:http";
import { basename, extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzip } from "node:zlib";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "img-src 'self' data: blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Headers of every answer. Without the two of Cross-Origin the page works, with one thread. */
export const HEADERS = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
};

/**
 * A server of a built page and of bundle folders, each under bundles/ and its own name.
 * `headers` takes the place of the headers above; `port` 0 takes one that is free.
 */
export async function serve(page, bundles, { port = 0, headers = HEADERS } = {}) {
  const folders = new Map(bundles.map((folder) => [basename(resolve(folder)), resolve(folder)]));
  const server = createServer((request, response) => {
    answer(page, folders, headers, request, response).catch(() => {
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  await new Promise((ready, failed) => {
    server.once("error", failed);
    server.listen(port, "127.0.0.1", ready);
  });
  return { server, address: `http://127.0.0.1:${server.address().port}/` };
}

async function answer(page, folders, headers, request, response) {
  const say = (status, more = {}, body = undefined) =>
    response.writeHead(status, { ...headers, ...more }).end(body);
  if (request.method !== "GET" && request.method !== "HEAD") return say(405, { Allow: "GET, HEAD" });
  const path = place(request.url);
  if (path === null) return say(400);
  if (path === "bundles/index.json")
    return say(200, { "Content-Type": TYPES[".json"] }, JSON.stringify(await index(folders)));

  const [first, name, ...rest] = path.split("/");
  const file =
    first === "bundles"
      ? folders.has(name) && join(folders.get(name), ...rest)
      : join(page, path || "index.html");
  const found = file ? await stat(file).catch(() => null) : null;
  if (!found?.isFile()) return say(404, { "Content-Type": "text/plain" }, `${path}: not here\n`);

  const tag = `"${found.size.toString(36)}-${Math.floor(found.mtimeMs).toString(36)}"`;
  if (request.headers["if-none-match"] === tag) return say(304, { ETag: tag });
  const type = TYPES[extname(file)] ?? "application/octet-stream";
  const kept = first.startsWith("ort-") && { "Cache-Control": "max-age=31536000, immutable" };
  const about = {
    ...kept,
    "Content-Type": type,
    "Accept-Ranges": "bytes",
    ETag: tag,
    Vary: "Accept-Encoding",
  };
  if (extname(file) in TYPES && !request.headers.range && takesGzip(request)) {
    const bytes = await zipped(file, tag);
    const size = { "Content-Encoding": "gzip", "Content-Length": bytes.byteLength };
    return say(200, { ...about, ...size }, request.method === "HEAD" ? undefined : bytes);
  }
  const range = asked(request, found.size, tag);
  if (range === null) return say(416, { "Content-Range": `bytes */${found.size}` });
  const { start, end, part } = range;
  response.writeHead(part ? 206 : 200, {
    ...headers,
    ...about,
    "Content-Length": end - start,
    ...(part && { "Content-Range": `bytes ${start}-${end - 1}/${found.size}` }),
  });
  if (request.method === "HEAD" || start === end) return response.end();
  createReadStream(file, { start, end: end - 1 })
    .on("error", () => response.destroy())
    .pipe(response);
}

const takesGzip = (request) =>
  /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/.test(request.headers["accept-encoding"] ?? "");

const compressed = new Map();

/** A file's bytes by gzip, made once for each of its states. */
function zipped(file, tag) {
  const known = compressed.get(file);
  if (known?.tag === tag) return known.bytes;
  const bytes = readFile(file).then((whole) => promisify(gzip)(whole));
  compressed.set(file, { tag, bytes });
  return bytes;
}

/** The path of an address without a leading slash, or null where it leads out of the folder. */
function place(url) {
  let path;
  try {
    path = decodeURIComponent(new URL(url, "http://here/").pathname).slice(1);
  } catch {
    return null;
  }
  return path.includes("\0") || path.includes("\\") || normalize(`/${path}`) !== `/${path}` ? null : path;
}

/** The bytes that are asked for: all, or one range that still fits the file (If-Range); null where there are none. */
function asked(request, size, tag) {
  const found = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const fits = (request.headers["if-range"] ?? tag) === tag;
  if (!found || !fits) return { start: 0, end: size, part: false };
  const start = Number(found[1]);
  const end = found[2] ? Math.min(Number(found[2]) + 1, size) : size;
  return start < end ? { start, end, part: true } : null;
}

/** Name, size and task of each bundle. */
async function index(folders) {
  const all = [...folders].map(async ([name, folder]) => {
    const { files, task } = JSON.parse(await readFile(join(folder, "manifest.json"), "utf-8"));
    return { name, task, bytes: Object.values(files).reduce((sum, { size }) => sum + size, 0) };
  });
  return Promise.all(all);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = process.argv.slice(2);
  const at = given.indexOf("--port");
  const port = at < 0 ? 8000 : Number(given.splice(at, 2)[1]);
  const [page, ...bundles] = given;
  if (!page || !Number.isInteger(port)) {
    console.error("usage: node serve.mjs PAGE BUNDLE... [--port N]");
    process.exit(2);
  }
  try {
    const { address } = await serve(page, bundles, { port });
    console.log(`Open ${address}  (Ctrl-C ends it)`);
  } catch (error) {
    console.error(
      error.code === "EADDRINUSE" ? `port ${port} is taken: name another with --port N` : error.message,
    );
    process.exit(1);
  }
}
