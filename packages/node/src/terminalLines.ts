import type { DestinationStream } from "pino";

/** Fields that every line has, and what a person does not need to see. */
const HIDDEN = new Set(["level", "time", "pid", "name", "msg", "event", "stack"]);

/** Turns the log's JSON into one short line each, for a person at a terminal: time, sentence, values. */
export function terminalLines(write: (text: string) => void): DestinationStream {
  return {
    write(line) {
      const record = JSON.parse(line) as Record<string, unknown>;
      const level = record.level === "info" ? "" : `${String(record.level).toUpperCase()} `;
      const time = String(record.time).slice(11, 19);
      const values = Object.entries(record).flatMap(([name, value]) =>
        HIDDEN.has(name) || value === undefined ? [] : [`${name} ${show(value)}`],
      );
      write(`${time} ${level}${String(record.msg)}${values.length > 0 ? `  ${values.join("  ")}` : ""}\n`);
    },
  };
}

function show(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if ("message" in value) return String(value.message);
  return JSON.stringify(value);
}
