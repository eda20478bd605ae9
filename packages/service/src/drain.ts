import { once } from "node:events";
import type { Server } from "node:http";

const IDLE_SWEEP_MS = 50;

/**
 * Stops a server without cutting what it is sending: no new connections, idle ones closed as they fall idle (a keep-alive
 * connection becomes idle only when its stream ends), and whatever is left at the deadline closed by force.
 * @returns whether everything ended by itself
 */
export async function drain(server: Server, { deadlineMs }: { deadlineMs: number }): Promise<"drained" | "forced"> {
  if (!server.listening) return "drained";
  let outcome: "drained" | "forced" = "drained";
  const closed = once(server, "close");
  server.close();
  server.closeIdleConnections();
  const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS);
  const deadline = setTimeout(() => {
    outcome = "forced";
    server.closeAllConnections();
  }, deadlineMs);
  try {
    await closed;
  } finally {
    clearInterval(sweep);
    clearTimeout(deadline);
  }
  return outcome;
}
