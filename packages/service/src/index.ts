// Order of this package: redact < logs; lock, listen, drain, sse, polling, config, chain alone; marketEvents < projection < indexer; marketState < marketView.
export * from "./chain.ts";
export * from "./config.ts";
export * from "./drain.ts";
export * from "./indexer.ts";
export * from "./listen.ts";
export * from "./lock.ts";
export * from "./logs.ts";
export * from "./marketEvents.ts";
export * from "./marketState.ts";
export * from "./marketTerms.ts";
export * from "./marketView.ts";
export * from "./polling.ts";
export * from "./projection.ts";
export * from "./redact.ts";
export * from "./sse.ts";
