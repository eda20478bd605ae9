import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { CounterName } from "./store/counters.ts";

/** Everything that this process measures. Labels are routes, codes, and addresses from the registry: never a caller's word. */
export type Metrics = ReturnType<typeof openMetrics>;

const MAX_PROVIDER_LABELS = 1_000;

export function openMetrics() {
  const registry = new Registry();
  const registers = [registry];
  const requestSeconds = new Histogram({
    name: "foldmark_gateway_request_seconds",
    help: "Duration of HTTP requests.",
    labelNames: ["method", "route", "status"],
    buckets: [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
    registers,
  });
  const firstTokenSeconds = new Histogram({
    name: "foldmark_gateway_first_token_seconds",
    help: "From a chat request's arrival to its first piece of text.",
    buckets: [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60],
    registers,
  });
  const tokens = new Counter({
    name: "foldmark_gateway_tokens_total",
    help: "Tokens of accepted answers.",
    labelNames: ["kind"],
    registers,
  });
  const events = new Counter({
    name: "foldmark_gateway_events_total",
    help: "Requests, refusals by code, failovers by reason, failures and work by provider.",
    labelNames: ["event", "label"],
    registers,
  });
  const paid = new Counter({
    name: "foldmark_gateway_paid_base_units_total",
    help: "Price of accepted answers, by provider.",
    labelNames: ["provider"],
    registers,
  });
  const head = new Gauge({ name: "foldmark_gateway_head_block", help: "Last indexed block.", registers });
  const unsettled = new Gauge({
    name: "foldmark_gateway_unsettled_vouchers",
    help: "Vouchers that were sent and whose end is not known yet.",
    registers,
  });
  const running = new Gauge({ name: "foldmark_gateway_running", help: "Requests being answered.", registers });

  const providers = new Set<string>();
  return {
    registry,
    requestSeconds,
    firstTokenSeconds,
    tokens,
    head,
    unsettled,
    running,
    /** Mirrors the counts of the transparency report. */
    onCount(name: CounterName, label: string, amount: bigint): void {
      const isProvider = label.startsWith("0x");
      if (isProvider && providers.size < MAX_PROVIDER_LABELS) providers.add(label);
      const shown = isProvider && !providers.has(label) ? "other" : label;
      events.inc({ event: name, label: shown });
      if (name === "work") paid.inc({ provider: shown }, Number(amount));
    },
  };
}
