import { type Bindings, type ChildLoggerOptions, type DestinationStream, type Logger, pino } from "pino";
import { redact, redactText } from "./redact.ts";

export type { Logger } from "pino";

type ChildArguments<Levels extends string> = [bindings: Bindings, options?: ChildLoggerOptions<Levels>];
export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LogOptions = {
  /** The process: "node" or "gateway". */
  name: string;
  level?: LogLevel;
  /** Where lines go; standard error by default, since standard output belongs to a command's result. */
  destination?: DestinationStream;
};

/**
 * JSON lines of fields and a constant sentence. Every record passes through `redact`, whatever the call: no secret and no
 * prompt reaches a log by a careless field.
 */
export function createLogger({ name, level = "info", destination = pino.destination(2) }: LogOptions): Logger {
  const logger = pino(
    {
      name,
      level,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label) => ({ level: label }),
        log: (record) => redact(record) as Record<string, unknown>,
      },
      // pino would print an error by its own serializer, behind the formatter
      serializers: { err: redact, error: redact },
      hooks: {
        logMethod(args, method) {
          // of an error alone pino would take the message as it is
          const named =
            args[0] instanceof Error
              ? [{ err: args[0] }, ...(args.length > 1 ? args.slice(1) : [args[0].message])]
              : args;
          const masked = named.map((part) => (typeof part === "string" ? redactText(part) : part));
          method.apply(this, masked as typeof args);
        },
      },
    },
    destination,
  );
  // bindings of a child pass through no formatter; children of children inherit this method
  const child: Logger["child"] = logger.child;
  logger.child = function childOf<Levels extends string>(
    this: Logger,
    ...[bindings, childOptions]: ChildArguments<Levels>
  ) {
    return child.call<Logger, ChildArguments<Levels>, Logger<Levels>>(this, redact(bindings) as Bindings, childOptions);
  };
  return logger;
}
