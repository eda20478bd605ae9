import { mkdtemp, rm } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Plugin, preview } from "vite";
import { packagesRoute } from "../../packages/node/src/serving/packagesRoute.ts";

const ROOT = fileURLToPath(new URL("page", import.meta.url));

/** What a gateway sends with the page: everything from one origin, no code but the page's own and WebAssembly. */
const POLICY =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const HEADERS = {
  "Content-Security-Policy": POLICY,
  // cross-origin isolation: without it no browser lets threads share memory
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export type PageServer = AsyncDisposable & { readonly url: string };
/** Looks at each request for a package's file first; true when it has answered. */
export type Intercept = (request: IncomingMessage, response: ServerResponse) => boolean;

export type ServeOptions = {
  intercept?: Intercept;
  /** Names of this machine besides localhost. */
  hosts?: string[];
};

/** Builds the page and serves it on this machine, with packages as a node serves them. */
export async function servePage(
  packages: Parameters<typeof packagesRoute>[0],
  { intercept = () => false, hosts = [] }: ServeOptions = {},
): Promise<PageServer> {
  const outDir = await mkdtemp(path.join(tmpdir(), "foldmark-page-"));
  await buildPage(outDir);
  const server = await preview({
    ...{ configFile: false, root: ROOT, appType: "mpa", logLevel: "warn", build: { outDir } },
    preview: {
      host: "127.0.0.1",
      port: 0,
      allowedHosts: hosts,
      headers: HEADERS,
    },
    plugins: [
      {
        name: "packages",
        configurePreviewServer({ middlewares }) {
          middlewares.use("/v1/packages", (request, response, next) => {
            if (!intercept(request, response)) next();
          });
          const route = packagesRoute(packages);
          middlewares.use((request, response, next) => {
            Reflect.apply(route, undefined, [request, response, next]);
          });
        },
      },
    ],
  });
  return {
    url: server.resolvedUrls?.local[0] ?? "",
    async [Symbol.asyncDispose]() {
      await server.close();
      await rm(outDir, { recursive: true });
    },
  };
}

/** Bundles the page. Fails where anything that it needs is Node's. */
export async function buildPage(outDir: string): Promise<void> {
  const withoutNode: Plugin = {
    name: "without-node",
    enforce: "pre",
    resolveId(id, importer) {
      if (isBuiltin(id)) throw new Error(`${importer} imports ${id}, which no browser has`);
    },
  };
  await build({
    ...{ configFile: false, root: ROOT, logLevel: "warn", plugins: [withoutNode] },
    worker: { format: "es", plugins: () => [withoutNode] },
    build: { outDir, emptyOutDir: true, target: "esnext" },
  });
}
