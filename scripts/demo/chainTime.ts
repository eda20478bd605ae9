import { createTestClient, http } from "viem";
import { z } from "zod";
import { need, type Stage } from "./stage.ts";

/** Far more than anything here takes on a machine that does nothing else. */
const PATIENCE_MS = 120_000;
const LOOK_MS = 250;
const health = z.looseObject({ block: z.number().optional() });

/**
 * Lets the chain's time pass without anybody waiting: the next block lies after `time` (unix seconds). Every clock of the
 * market goes on with it, so this is for moments in which nobody but the one whose clock it is has something to do.
 */
export async function passTime(stage: Stage, time: bigint): Promise<void> {
  const { rpc, client } = need(stage, "chain");
  const { timestamp } = await client.getBlock();
  const chain = createTestClient({ mode: "hardhat", transport: http(rpc) });
  if (time >= timestamp) await chain.increaseTime({ seconds: Number(time - timestamp) + 1 });
  await chain.mine({ blocks: 1 });
  await chainSeen(stage);
}

/** Waits until the gateway has read the chain up to where it is now. */
export async function chainSeen(stage: Stage): Promise<void> {
  const head = await need(stage, "chain").client.getBlockNumber({ cacheTime: 0 });
  const { url } = need(stage, "gateway");
  await eventually(`the gateway has not read block ${head}`, async () => {
    const { block } = health.parse(await (await fetch(`${url}/health`)).json());
    return block !== undefined && BigInt(block) >= head;
  });
}

/** Looks again and again until something holds. @throws saying `otherwise` when it does not within two minutes */
export async function eventually(otherwise: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`${otherwise} after ${PATIENCE_MS / 1_000} s`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
