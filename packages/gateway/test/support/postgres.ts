import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** Folder of PostgreSQL's programs; Debian does not put them on the path. */
export const postgresBin = (): string | undefined => globSync("/usr/lib/postgresql/*/bin").toSorted().at(-1);

/** A server of its own in a new folder, reached by a socket in it, and gone afterwards. */
export async function startPostgres(bin: string) {
  const folder = mkdtempSync(path.join(tmpdir(), "foldmark-postgres-"));
  const user = whoRuns(folder);
  const options = { ...user, cwd: folder, env: { PATH: process.env.PATH ?? "", LC_ALL: "C.UTF-8" } };
  const data = path.join(folder, "data");
  const made = spawnSync(path.join(bin, "initdb"), ["-D", data, "-U", "test", "--no-sync"], options);
  if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
  const flags = ["-D", data, "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"];
  const server: ChildProcess = spawn(path.join(bin, "postgres"), flags, {
    ...options,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let log = "";
  for await (const chunk of server.stderr ?? []) {
    log += chunk;
    if (log.includes("ready to accept connections")) break;
  }
  if (!existsSync(path.join(folder, ".s.PGSQL.5432"))) throw new Error(`postgres did not start: ${log}`);
  return {
    url: `postgres://test@/postgres?host=${encodeURIComponent(folder)}`,
    async [Symbol.asyncDispose]() {
      server.kill("SIGQUIT");
      if (server.exitCode === null) await once(server, "exit");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** PostgreSQL refuses to run as root: it then runs as the user that its package made. */
function whoRuns(folder: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ["-u", "-g"].map((flag) => Number(spawnSync("id", [flag, "postgres"]).stdout));
  if (!uid || !gid) throw new Error("there is no user postgres");
  chownSync(folder, uid, gid);
  return { uid, gid };
}
