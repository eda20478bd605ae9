import { BYTES, openTrace, placeOfElement, readElement, type WasmEngine } from "@foldmark/machine";
import { LEAF_BYTES } from "@foldmark/machine/commitments";
import { courtAbi } from "@foldmark/protocol/abi";
import type { ModelPackage } from "@foldmark/workloads";
import type { Hex } from "viem";
import { need, type Served, type Stage } from "./stage.ts";

/** A model, loaded to compute with. */
export type Checker = { model: ModelPackage; engine: WasmEngine };

/** The element that the court has judged: what the provider's trace says there, and what it is. */
export async function judged(stage: Stage, id: Hex, { answer, model, engine }: Checker & { answer: Served }) {
  const { target, leaf } = await refutedElement(stage, id);
  const { program, manifest } = model;
  const { preimage, request, claimed } = answer.receipt;
  const { of, leaf: index, byte } = placeOfElement(program, target, preimage.T);
  const type = program.stages[target.stage]?.folds[target.fold]?.type ?? "i8";
  const valueIn = (data: Uint8Array) => readElement(type, data, (byte % LEAF_BYTES) / BYTES[type]);
  const trace = openTrace(engine, { T: preimage.T, request, claimed });
  try {
    const isSample = manifest.answers.some((each) => each.stage === target.stage && each.fold === target.fold);
    const isLast = target.stage === program.stages.length - 1;
    const stageName = isSample ? "sample" : isLast ? "ok" : "";
    return { ...target, stageName, claimed: valueIn(leaf), true: valueIn(trace.leaf(of, index)) };
  } finally {
    trace.close();
  }
}

/** The element that a refutation was about, and the bytes of its leaf as its provider has shown them. */
async function refutedElement(stage: Stage, id: Hex) {
  const { client, deployment } = need(stage, "chain");
  const query = { address: deployment.contracts.court, abi: courtAbi, args: { id }, strict: true } as const;
  const fromBlock = BigInt(deployment.fromBlock);
  const [[refuted], [leaf]] = await Promise.all([
    client.getContractEvents({ ...query, eventName: "Refuted", fromBlock }),
    client.getContractEvents({ ...query, eventName: "LeafRevealed", fromBlock }),
  ]);
  if (!refuted || !leaf) throw new Error("the game ended without a leaf and a refutation");
  return { target: refuted.args.target, leaf: new Uint8Array(Buffer.from(leaf.args.data.slice(2), "hex")) };
}
