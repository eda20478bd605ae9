import systeminformation from "systeminformation";

/** What a provider says that it computes with. */
export type Hardware = {
  kind: "gpu" | "cpu";
  device: string;
  memoryBytes: number;
  /** Measured on one request with the real model; 0 without one. */
  tokensPerSecond: number;
  /** Unix seconds. */
  measuredAt: number;
};

/** The machine as its operating system describes it, and a graphics card if there is one, used or not. */
export type Machine = {
  cpu: string;
  cores: number;
  memoryBytes: number;
  gpu: { name: string; memoryBytes: number } | undefined;
};

export async function describeMachine(): Promise<Machine> {
  const [cpu, memory, graphics] = await Promise.all([
    systeminformation.cpu(),
    systeminformation.mem(),
    systeminformation.graphics(),
  ]);
  const card = graphics.controllers.find(({ vram }) => (vram ?? 0) > 0);
  return {
    cpu: `${cpu.manufacturer} ${cpu.brand}`.trim() || "unknown CPU",
    cores: cpu.cores,
    memoryBytes: memory.total,
    gpu: card && { name: card.model, memoryBytes: (card.vram ?? 0) * 2 ** 20 },
  };
}

/** Longest device name that the registry takes, in bytes. */
const NAME_BYTES = 128;

/** What is registered: the device that really computes, with the rate that was measured on it. */
export function hardwareOf(
  machine: Machine,
  { tokensPerSecond, now }: { tokensPerSecond: number; now: number },
): Hardware {
  // the engine has no GPU back end yet, so a card that was found is not what computes
  const device = Buffer.from(`${machine.cpu}, ${machine.cores} cores`)
    .subarray(0, NAME_BYTES)
    .toString()
    .replace(/\ufffd+$/, "");
  return { kind: "cpu", device, memoryBytes: machine.memoryBytes, tokensPerSecond, measuredAt: now };
}
